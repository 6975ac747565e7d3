"""Verdicts, numbers and scale: by hand, and for planted studies of every claim."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planted import claim, claim_row, comparisons_of, runs, statistics

from gradval.evidence import (
    NOT_RUN,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    VERDICTS,
    Evidence,
    Part,
    RunSetting,
    build_scorecard,
    read_claims,
    summarise,
    summarise_verdicts,
)
from gradval.evidence.margins import decide, guarded, margin_of, number_matches
from gradval.evidence.measurement import Exact
from gradval.evidence.scale import EXACT, REDUCED, SUBSTITUTE, scale_of
from gradval.evidence.simulation import simulate_study
from gradval.evidence.statistics import holm
from gradval.evidence.verdict import SCORECARD_COLUMNS

TABLE = next(path for path in Path(__file__).parents[3].glob("*/claims.csv"))
CLEAR = [1.0, 1.1, 0.9, 1.2, 0.8]
ACTUAL = RunSetting("cifar10", "resnet18", "resnet18")


@pytest.fixture(scope="module")
def claims() -> pd.DataFrame:
    return read_claims(TABLE)


def parts(*values: list[float]) -> list[Part]:
    return [Part(f"part {i}", pd.Series(v, dtype=float)) for i, v in enumerate(values)]


# --- margins and verdicts -----------------------------------------------------------------------


def verdict(values: list[list[float]], **rule: str) -> str:
    claimed = claim(**{"reference": "", **rule}).rule
    margin = margin_of(claimed, parts(*values))
    assert margin is not None
    return decide(claimed, margin, margin.p)


@pytest.mark.parametrize(
    ("values", "rule", "expected"),
    [
        ([CLEAR], {}, SUPPORTED),
        ([CLEAR], {"side": "below"}, REFUTED),
        ([CLEAR], {"null": "1"}, UNDECIDED),
        ([CLEAR], {"null": "2"}, REFUTED),
        ([CLEAR], {"null": "2", "side": "below"}, SUPPORTED),
        ([CLEAR[:4]], {}, UNDECIDED),  # four seeds, however clear
        ([CLEAR[:2]], {"side": "below"}, UNDECIDED),
        ([[1.0] * 5], {}, UNDECIDED),  # equal signs of five could be chance: 2 / 2^5
        ([[1.0] * 6], {}, SUPPORTED),
        ([[0.0] * 9], {}, UNDECIDED),
        # Within ±2, beyond ±0.5, and between.
        ([CLEAR], {"side": "equal", "null": "2"}, SUPPORTED),
        ([CLEAR], {"side": "equal", "null": "0.5"}, REFUTED),
        ([CLEAR], {"side": "equal", "null": "1"}, UNDECIDED),
        # One part that fails refutes "every", one that holds is enough for "some".
        ([CLEAR, CLEAR], {}, SUPPORTED),
        ([CLEAR, [-x for x in CLEAR]], {}, REFUTED),
        ([CLEAR, [-x for x in CLEAR]], {"quantifier": "some"}, SUPPORTED),
        ([[-x for x in CLEAR]] * 2, {"quantifier": "some"}, REFUTED),
        ([CLEAR, [1.0, -1.0, 0.5, -0.5, 0.0]], {}, UNDECIDED),
    ],
)
def test_verdicts(values: list[list[float]], rule: dict[str, str], expected: str) -> None:
    assert verdict(values, **rule) == expected


@pytest.mark.parametrize("side", ["above", "below", "equal"])
@pytest.mark.parametrize("shift", np.linspace(-2, 2, 17))
def test_every_verdict_has_an_interval_that_excludes_the_null(side: str, shift: float) -> None:
    rule = claim(reference="", side=side, null="0.6").rule
    margin = margin_of(rule, parts([x - 1 + shift for x in CLEAR]))
    assert margin is not None
    found = decide(rule, margin, margin.p)
    assert (found == SUPPORTED) == (margin.low > 0)
    assert (found == REFUTED) == (margin.high < 0)
    assert margin.low <= margin.mean <= margin.high


def test_margins_by_hand() -> None:
    plain = summarise(CLEAR)
    above = margin_of(claim(reference="", null="0.25").rule, parts(CLEAR))
    assert above is not None and above.mean == pytest.approx(0.75)
    assert (above.low, above.high) == pytest.approx((plain.low - 0.25, plain.high - 0.25))
    below = margin_of(claim(reference="", null="3", side="below").rule, parts(CLEAR))
    assert below is not None
    assert (below.low, below.high) == pytest.approx((3 - plain.high, 3 - plain.low))
    equal = margin_of(claim(reference="", null="3", side="equal").rule, parts(CLEAR))
    assert equal is not None and equal.mean == pytest.approx(2.0)
    assert (equal.low, equal.high) == pytest.approx((3 - plain.high, 3 - plain.low))
    around = margin_of(claim(reference="", null="3", side="equal").rule, parts([-1.0, 1.0, 0.5]))
    assert around is not None and around.high == 3.0
    assert margin_of(claim().rule, []) is None
    one = margin_of(claim(reference="").rule, parts([0.3]))
    assert one is not None and one.mean == 0.3 and math.isnan(one.low) and one.n == 1


def test_joint_p_values() -> None:
    weak = [1.0, -0.2, 0.8, 0.1, 0.9]
    every = margin_of(claim(reference="").rule, parts(CLEAR, weak))
    alone = margin_of(claim(reference="").rule, parts(weak))
    assert every is not None and alone is not None
    assert every.p_for == alone.p_for and every.p_against == 1.0
    some = margin_of(claim(reference="", quantifier="some").rule, parts(CLEAR, weak))
    clear = margin_of(claim(reference="").rule, parts(CLEAR))
    assert some is not None and clear is not None
    assert some.p_for == pytest.approx(2 * clear.p_for)  # Bonferroni


def test_exact_tests_need_no_five_seeds() -> None:
    rule = claim(measure="overlap", unit="sample").rule
    exact = Part("pair", pd.Series([9.0]), Exact(8.0, 3.0, 12.0, 1e-6, 1.0))
    margin = margin_of(rule, [exact])
    assert margin is not None and decide(rule, margin, margin.p) == SUPPORTED
    assert (margin.mean, margin.low, margin.high) == (8.0, 3.0, 12.0)


def test_counts_have_no_error() -> None:
    rule = claim(
        **{"kind": "saving", "measure": "training_gradients", "reference": ""},
        **{"unit": "count", "null": "40"},
    ).rule
    for value, expected in ((41.0, SUPPORTED), (17.0, REFUTED)):
        margin = margin_of(rule, parts([value]))
        assert margin is not None and decide(rule, margin, margin.p) == expected


def test_what_agrees_with_nothing_stays_undecided() -> None:
    rule = claim(reference="ceiling", side="equal", null="0.1").rule
    same = margin_of(rule, parts([0.0, 0.01, -0.01, 0.0, 0.02]))
    assert same is not None and decide(rule, same, same.p) == SUPPORTED
    at_chance = guarded(same, parts([0.1, -0.2, 0.1, 0.0, -0.1]))
    assert at_chance is not None and at_chance.guarded
    assert decide(rule, at_chance, at_chance.p) == UNDECIDED
    beyond = guarded(same, parts(CLEAR))
    assert beyond is not None and decide(rule, beyond, beyond.p) == SUPPORTED


# --- the paper's numbers and scale --------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "scale", "expected"),
    [
        ([0.50, 0.51, 0.49, 0.50, 0.52], EXACT, "yes"),
        ([0.50, 0.51, 0.49, 0.50, 0.52], SUBSTITUTE, ""),
        ([0.50, 0.51, 0.49, 0.50], EXACT, "undecided"),  # fewer than five
        ([0.70, 0.71, 0.69, 0.70, 0.72], REDUCED, "no"),
        ([0.58, 0.60, 0.62, 0.56, 0.64], EXACT, "undecided"),  # about the edge of the tolerance
        ([0.1, 0.9, 0.5, 0.2, 0.8], EXACT, "undecided"),  # wide intervals match nothing
    ],
)
def test_the_papers_number(values: list[float], scale: str, expected: str) -> None:
    assert number_matches(claim(value="0.5", tolerance="0.1"), summarise(values), scale) == expected


def test_orderings_have_no_number() -> None:
    ordering = claim(value="ordering only", tolerance="")
    assert number_matches(ordering, summarise(CLEAR), EXACT) == ""


def sizes(**columns: object) -> pd.DataFrame:
    plain = {"dataset": "cifar10", "model": "resnet18", "samples": 50_000, "image_size": 32}
    return runs(**{**plain, "width": 64, **columns})


@pytest.mark.parametrize(
    ("full", "expected"),
    [
        (sizes(), (EXACT, "")),
        (sizes(samples=4000), (REDUCED, "4,000 of 50,000 images of cifar10")),
        (
            sizes(width=16, image_size=16),
            (REDUCED, "16 instead of 32 pixels; width 16 of 64"),
        ),
        (sizes().drop(columns="width"), (REDUCED, "sizes of cifar10 not recorded")),
    ],
)
def test_scale_from_what_ran(full: pd.DataFrame, expected: tuple[str, str]) -> None:
    assert scale_of(claim(dataset="cifar10"), ACTUAL, full, runs()) == expected


def test_scale_of_removals_counts_epochs() -> None:
    claimed = claim(kind="removal", source="loss/eps1", measure="test_accuracy", reference="vog")
    short = runs(dataset="cifar10", model="resnet18", first_epochs=4.0, second_epochs=12.0)
    found = scale_of(claimed, ACTUAL, sizes(), short)
    assert found == (REDUCED, "4 instead of 5 to 10 first epochs")


def test_other_levels_and_players_are_substitutes() -> None:
    claimed = claim(dataset="cifar10", setting_a="eps=1", setting_b="eps=8")
    ran = RunSetting("cifar10", "resnet18", "resnet18", "eps4", "eps8")
    assert scale_of(claimed, ran, sizes(), runs()) == (SUBSTITUTE, "eps4, eps8 for eps1, eps8")
    right = RunSetting("cifar10", "resnet18", "resnet18", "eps1", "eps8")
    assert scale_of(claimed, right, sizes(), runs())[0] == EXACT
    digits = RunSetting("digits", "resnet9", substitutes="digits for cifar10")
    assert scale_of(claimed, digits, sizes(), runs()) == (SUBSTITUTE, "digits for cifar10")


# --- the whole scorecard ------------------------------------------------------------------------


def context(claims: pd.DataFrame, run: RunSetting | None = ACTUAL) -> dict[str, RunSetting | None]:
    kinds = ("removal", "accuracy", "saving", "overhead", "levels")
    return dict.fromkeys([*comparisons_of(claims), *kinds], run)


@pytest.fixture(scope="module")
def scorecard(claims: pd.DataFrame) -> pd.DataFrame:
    """A simulated study with twice the paper's effects."""
    evidence = simulate_study(claims, 2.0, 6, 2, np.random.default_rng(0))
    return build_scorecard(claims, evidence, context(claims)).set_index("id", drop=False)


def test_columns(scorecard: pd.DataFrame, claims: pd.DataFrame) -> None:
    assert scorecard.columns.tolist() == list(SCORECARD_COLUMNS)
    required = "id verdict number_matches scale ours low high paper n margin margin_low margin_high"
    required += " p_adjusted chance draw_ceiling seed_ceiling"
    assert set(required.split()) <= set(SCORECARD_COLUMNS)
    assert scorecard["id"].tolist() == claims["id"].tolist()
    assert set(scorecard["verdict"]) <= set(VERDICTS)


def test_supported_rows_keep_their_promises(scorecard: pd.DataFrame) -> None:
    supported = scorecard[scorecard["verdict"] == SUPPORTED]
    assert len(supported) > 20
    assert (supported["margin_low"] > 0).all() and (supported["p_adjusted"] <= 0.05).all()
    assert (supported.loc[supported["unit"] == "seed", "n"] >= 5).all()
    assert {"loss-pearson", "fig3", "table1-contrast", "interaction"} <= set(supported["id"])


def test_p_values_are_corrected_within_families(scorecard: pd.DataFrame) -> None:
    judged = scorecard[scorecard["p"].notna()]
    cells = judged[judged["family"] == "cells of Table 1"]
    assert cells["p_adjusted"].to_numpy() == pytest.approx(holm(cells["p"]))
    assert (cells["p_adjusted"] > cells["p"]).all() and len(cells) == 12
    alone = judged[judged["family"] == ""]
    assert (alone["p_adjusted"] == alone["p"]).all()


def test_a_row_by_hand() -> None:
    rows = claim_row(dataset="cifar10", reference="", null="0.2", value="0.5")
    values = [0.5, 0.52, 0.48, 0.51, 0.49]
    evidence = Evidence(statistics=statistics("x", "ssim_matched", values, chance=0.1))
    row = build_scorecard(rows, evidence, {"x": ACTUAL}).iloc[0]
    mean = summarise(values)
    assert (row["ours"], row["low"], row["high"]) == (mean.mean, mean.low, mean.high)
    assert row["margin"] == pytest.approx(0.3) and row["n"] == 5 and row["chance"] == 0.1
    assert (row["verdict"], row["number_matches"], row["scale"]) == (SUPPORTED, "yes", REDUCED)
    assert row["rule"] == "above 0.2"
    assert row["reading"] == "0.50 [0.48, 0.52] against the paper's 0.5; chance 0.10"


def reading(rows: pd.DataFrame, *tables: pd.DataFrame) -> str:
    card = build_scorecard(rows, Evidence(statistics=pd.concat(tables)), {"x": ACTUAL})
    return str(card.loc[0, "reading"])


def test_readings_say_what_keeps_a_claim_open() -> None:
    few = statistics("x", "ssim_matched", [0.5, 0.6], chance=0.1)
    assert reading(claim_row(), few).endswith("a verdict needs 5 seeds")
    wide = statistics("x", "ssim_matched", [0.1, 0.9, -0.5, 0.3, 0.2], chance=0.1)
    assert reading(claim_row(), wide).endswith("does not settle whether it is above chance")
    nothing = reading(claim_row(reference="ceiling"), few)
    assert nothing.endswith("nothing to judge by whether it is above the ceiling")


def test_no_ceiling_means_not_run() -> None:
    rows = statistics("x", "ssim_matched", [0.5, 0.6])
    card = build_scorecard(claim_row(reference="ceiling"), Evidence(rows), {"x": ACTUAL})
    assert card.loc[0, "verdict"] == NOT_RUN and card.loc[0, "ours"] == 0.55


def test_what_is_not_run_is_said(claims: pd.DataFrame) -> None:
    nothing = build_scorecard(claims, Evidence(), {})
    no_results = build_scorecard(claims, Evidence(), context(claims))
    for card in (nothing, no_results):
        assert set(card["verdict"]) == {NOT_RUN} and (card["number_matches"] == "").all()
        assert card["ours"].isna().all() and (card["n"] == 0).all()
        assert card["ours"].dtype == np.float64
    assert set(nothing["reading"]) != set(no_results["reading"])
    counts = summarise_verdicts(nothing).set_index("verdict")["claims"]
    assert counts.index.tolist() == list(VERDICTS) and counts[NOT_RUN] == len(claims)


def test_substitutes_that_leave_nothing_to_compare(claims: pd.DataFrame) -> None:
    alike = RunSetting("digits", "resnet9", "resnet9", "eps4", "eps4", "digits for X")
    apart = RunSetting("digits", "resnet9", "resnet9", "eps4", "eps8", "digits for X")
    players = context(claims, apart) | {"fig2": alike}
    evidence = simulate_study(claims, 1.0, 2, 1, np.random.default_rng(0))
    card = build_scorecard(claims, evidence, players).set_index("id")
    for identifier in ("fig2-ssim", "overlap-cinic10", "xrays-vary-levels"):
        assert "the same runs" in card.loc[identifier, "reading"], identifier
        assert card.loc[identifier, "verdict"] == NOT_RUN
    # Scores of the same runs may be set against each other.
    assert card.loc["same-images-nonprivate", "reading"] == "there are no results for it"
    assert math.isfinite(card.loc["fig3", "ours"])
    assert set(card.loc[card["n"] > 0, "scale"]) == {SUBSTITUTE}


def test_a_claim_needs_all_its_comparisons(claims: pd.DataFrame) -> None:
    evidence = simulate_study(claims, 1.0, 2, 1, np.random.default_rng(0))
    card = build_scorecard(claims, evidence, context(claims) | {"dp-plis": None}).set_index("id")
    assert card.loc["fig3", "reading"] == "the config trains none of its settings"
    by_claim = context(claims) | {"fig3": None}
    card = build_scorecard(claims, evidence, by_claim).set_index("id")
    assert card.loc["fig3", "verdict"] == NOT_RUN and card.loc["dp-similar", "n"] == 2
