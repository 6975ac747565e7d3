"""What is promised to a sample and to a group, and what single persons are paid."""

import numpy as np
import pandas as pd
import pytest

from gradval.federation.guarantees import NOTES, group_epsilon, guarantees, site_ledger
from gradval.federation.persons import CLIPPED_VOG, judge_persons
from gradval.federation.reports import ReportOptions, report_events
from gradval.federation.variance_query import VarianceQuery
from gradval.privacy.accountants import epsilon
from gradval.privacy.events import Events, PrivateTraining
from gradval.privacy.ledger import check

TRAINING = PrivateTraining(
    phase="full", samples=300, sampling_rate=0.1, noise_multiplier=1.5, steps=20,
    clipping_norm=1.0, randomness="seeded",
)  # fmt: skip
EVENTS, DELTA = Events(events=(TRAINING,)), 1e-4
GROUPS = ["a", "a", "a", "b", "c", "c"]


def options(**others):
    return ReportOptions({"vog": (0.0, 1.0)}, ["mean", "count"], 0.5, unit="group", **others)


def test_a_group_of_one_is_a_sample_and_larger_ones_cost_more():
    costs = [group_epsilon(TRAINING, members, DELTA) for members in (1, 2, 3)]
    assert costs[0] == pytest.approx(epsilon([TRAINING.accounted()], DELTA), rel=0.01)
    # More than one sample's, less than what group privacy of (epsilon, delta) would say.
    assert 1.5 * costs[0] < costs[1] < 3 * costs[0] and costs[1] < costs[2]


def test_a_report_of_groups_composes_with_a_training_of_samples():
    ledger = site_ledger(EVENTS, options(), 3, delta=DELTA, accountants=["pld"], trained="average")
    check(ledger)
    assert NOTES["average"] in ledger["notes"]
    sample, group = guarantees(EVENTS, options(), GROUPS, ledger, trained="average")
    trained = epsilon([TRAINING.accounted()], DELTA)
    assert sample["training"] == pytest.approx(trained) and sample["report"] == 0.5
    assert sample["together"] == pytest.approx(trained + 0.5) and sample["hides"] == "sample"
    assert group["members"] == 3 and group["trusts"] == "nobody but itself"
    assert group["training"] == pytest.approx(group_epsilon(TRAINING, 3, DELTA))
    assert group["together"] == pytest.approx(group["training"] + 0.5)


def test_a_sample_that_leaves_a_group_changes_its_value_but_not_the_count():
    """Which is one group that goes and one that comes, so twice the cost of `add_remove`."""
    replaced = report_events(EVENTS, options(), 3).events[1:]
    removed = report_events(EVENTS, options(relation="add_remove"), 3).events[1:]
    assert [e.epsilon for e in replaced] == [0.25, 0.25] and replaced[0].unit == "sample"
    assert [e.epsilon for e in removed] == [0.5, 0.5]


# --- Persons --------------------------------------------------------------------------------------


def persons(**others):
    rng = np.random.default_rng(0)
    site = np.repeat([0, 1], 400)
    loss = np.where(site == 1, rng.uniform(2, 3, 800), rng.uniform(0, 1, 800))
    table = pd.DataFrame(
        {"site": site, "group": [f"p{i // 4}" for i in range(800)], "loss": loss,
         CLIPPED_VOG: loss / 100}
    )  # fmt: skip
    worth = {0: "ordinary", 1: "harmful"}
    return judge_persons(table, worth, {"loss": (0.0, 3.0)}, [0.1, 10.0], **others)


def test_a_persons_pay_follows_what_it_releases():
    found = persons(query=VarianceQuery(0.2, 5, 1.0), draws=3, groups=True)
    assert set(persons()["rule"]) == {"person"}
    found = found.set_index(["method", "rule", "epsilon"])
    exact = found.loc[("loss", "person", np.inf)]
    assert exact["agreement"] == pytest.approx(1) and exact["noise_moved"] == 0
    # 2.5 of 3 for half of the persons.
    assert exact["paid_harmful"] == pytest.approx(2.5 / 3 - 0.5, abs=0.01)
    assert exact["auroc_harmful"] == 1
    noisy, quiet = found.loc[("loss", "person", 0.1)], found.loc[("loss", "person", 10.0)]
    assert noisy["agreement"] < 0.2 < 0.8 < quiet["agreement"]
    assert noisy["noise_moved"] > 2 * quiet["noise_moved"] > 0
    assert abs(noisy["paid_harmful"]) < 0.1  # at a small epsilon everybody gets the same
    patient = found.loc[("loss", "patient", 10.0)]
    assert patient["agreement"] > 0.8 and patient["auroc_harmful"] > 0.95
    assert ("vog_query", "patient", 0.1) not in found.index
    assert found.loc[("vog_query", "person", np.inf), "auroc_harmful"] == 1
