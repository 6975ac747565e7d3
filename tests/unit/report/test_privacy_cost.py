"""The page of what a study cost: no event twice, all of a data set composed."""

import pytest

from gradval.privacy.accountants import SampledGaussian, epsilon
from gradval.privacy.events import extended, training_event
from gradval.privacy.plan import PhasePlan
from gradval.privacy.release import release_event
from gradval.report.privacy_cost import TITLE, Spent, cost_rows, cost_table
from gradval.report.tables import html_page, markdown_text

DELTA = 1e-4
FIRST, SECOND = PhasePlan(100, 0.1, 20, 2.0), PhasePlan(75, 0.13, 30, 2.0)
KEY = {"dataset": "digits", "model": "resnet9", "privacy": "eps4", "seed": 0, "draw": 0}


def trained(plan, name="first", selection="none"):
    return training_event(plan, name=name, clipping_norm=1.0, selection=selection)


def spent_by_two_seeds():
    first = extended(None, trained(FIRST))
    released = extended(first, release_event("vog", (0, 1), 0.5, 100))
    second = extended(first, trained(SECOND, "second", "raw"))
    for seed in (0, 1):
        key = KEY | {"seed": seed}
        yield Spent.of(key, "first", first)
        yield Spent.of(key, "released", released)
        yield Spent.of(key, "pruned", second)


def test_every_event_is_counted_once():
    rows = cost_rows(spent_by_two_seeds(), {"digits": DELTA}, "rdp").set_index("kind")
    assert rows["runs"].to_dict() == {"first": 2, "released": 2, "pruned": 2, "all": 6}
    twice = [SampledGaussian(0.1, 2.0, 40), SampledGaussian(0.13, 2.0, 60)]
    first, second = (epsilon([event], DELTA, "rdp") for event in twice)
    assert rows.loc["first", "composed"] == pytest.approx(first)
    assert rows.loc["pruned", "composed"] == pytest.approx(second)
    assert rows.loc["released", "epsilon"] == pytest.approx(0.5, rel=1e-2)
    everything = rows.loc["all"]
    assert first < everything["composed"] < everything["sum"]
    assert everything["sum"] == pytest.approx(2 * rows["epsilon"].drop("all").sum())


def test_units_are_not_mixed():
    group = trained(FIRST).model_copy(update={"unit": "group"})
    spent = [*spent_by_two_seeds(), Spent.of(KEY, "full", extended(None, group))]
    with pytest.raises(ValueError, match=r"different units .group and sample., which do not"):
        cost_rows(spent, {"digits": DELTA}, "rdp")


def test_the_page_says_what_is_not_in_it():
    rows = cost_rows(spent_by_two_seeds(), {"digits": DELTA}, "rdp")
    table = cost_table(rows, "rdp", {"digits": 3.0}, "Noise was seeded.")
    for text in (markdown_text(TITLE, [table]), html_page(TITLE, [table])):
        for part in ("everything", "second phase", "budget ε = 3", "Noise was seeded", "Not in it"):
            assert part in text
