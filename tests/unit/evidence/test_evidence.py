"""Statistics over seeds, the claims table and the scorecard: known answers and planted evidence."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gradval.evidence import (
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    SAME_DIRECTION,
    SUBSTITUTE,
    VERDICTS,
    Claim,
    Evidence,
    Measurement,
    Rule,
    RunSetting,
    Summary,
    build_scorecard,
    judge,
    measure,
    paired_difference,
    parse_claims,
    read_claims,
    summarise,
    summarise_share,
    summarise_verdicts,
)
from gradval.evidence.claims import PAPER_COLUMNS

TABLE = Path(__file__).parents[3] / "paper" / "claims.csv"
SEEDS = (0, 1, 2)
SCORES = ("loss", "grad_norm", "vog", "plis")
PAPER_IDS = [
    *("fig2-ssim", "fig2-bd", "loss-pearson", "gradnorm-pearson", "fig3", "fig4-ssim", "fig4-bd"),
    *("fig5-ssim", "fig5-bd", "fig6-ssim", "pppd-accuracy-gap", "plis-eps-4-8", "plis-eps-1"),
    *("fig7-ssim", "fig7-bd", "overlap-cifar10", "overlap-cinic10"),
    *("vog-plis-pearson-a", "vog-plis-pearson-b", "vog-plis-extreme-a", "vog-plis-extreme-b"),
    *("fig9-ssim", "fig9-bd", "fig10"),
    *(f"table1-{score}-{eps}" for score in ("loss", "gradnorm", "vog", "plis") for eps in "148"),
    *("train-accuracy-rises", "prune-time", "score-overhead"),
]
# Of the table as it quotes the paper, without our columns.
PAPER_SHA256 = "daa1a0eaf1eecc68170374ed04d2fe890e15c742fcbfd786cbff8c7cc944cda8"
COMPARISONS = {
    *("fig2", "fig4", "fig5", "fig6", "fig7", "fig8", "fig9", "fig10"),
    *("dp-loss", "dp-grad_norm", "dp-vog", "dp-plis", "plis-eps4-eps8", "plis-eps1-eps8"),
    *("cinic10-eps4-eps8", "vog-plis-nonprivate", "vog-plis-eps4"),
}
ORDERINGS = {"fig3", "plis-eps-1", "fig10", "train-accuracy-rises"}


@pytest.fixture(scope="module")
def claims() -> pd.DataFrame:
    return read_claims(TABLE)


def claim_row(**changes: str) -> pd.DataFrame:
    """A claims table of one valid row, changed."""
    row = dict.fromkeys(PAPER_COLUMNS, "") | {"id": "c", "statement": "S", "value": "0.5"}
    row |= {"kind": "comparison", "source": "x", "measure": "ssim_matched"}
    row |= {"tolerance": "0.1", "direction": "> chance"}
    return pd.DataFrame([row | changes])


def claim(**changes: str) -> Claim:
    return parse_claims(claim_row(**changes))[0]


def statistics(
    comparison: str,
    statistic: str,
    values: Iterable[float],
    pairing: str = "same seed",
    chance: float = math.nan,
) -> pd.DataFrame:
    """One value a seed, seeds counted from zero."""
    rows = [
        {
            **{"comparison": comparison, "pairing": pairing, "statistic": statistic},
            **{"seed_a": seed, "seed_b": seed, "value": value, "chance": chance},
        }
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def runs(**columns: object) -> pd.DataFrame:
    """Runs whose columns are constants or lists."""
    plain = {"dataset": "d", "model": "m", "privacy": "eps1", "seed": 0, "removal": "none"}
    plain |= {"train_accuracy": 0.5, "test_accuracy": 0.5, "training_seconds": 100.0}
    plain |= {"scoring_seconds": 100.0}
    lengths = [len(value) for value in columns.values() if isinstance(value, list)]
    return pd.DataFrame(plain | columns, index=range(max(lengths, default=1)))


# --- intervals ----------------------------------------------------------------------------------


def test_summary_by_hand() -> None:
    # The 97.5% quantile of t with 2 degrees of freedom is 4.302653 in every table.
    half = 4.302653 / math.sqrt(3)
    found = summarise([1.0, 2.0, 3.0])
    assert found.n == 3 and found.mean == 2.0 and found.sd == 1.0
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half), abs=1e-6)


def test_summary_of_two_seeds_by_hand() -> None:
    found = summarise([0.5, 0.7])  # t with 1 degree of freedom: 12.706205, sd = 0.1 sqrt(2)
    assert found.mean == pytest.approx(0.6)
    assert found.high - found.mean == pytest.approx(1.2706205, abs=1e-6)


def test_summary_without_interval() -> None:
    one = summarise([0.3])
    assert (one.mean, one.n) == (0.3, 1) and np.isnan([one.sd, one.low, one.high]).all()
    none = summarise([math.nan])
    assert none.n == 0 and math.isnan(none.mean)
    infinite = summarise([1.0, math.inf])
    assert infinite.mean == math.inf and math.isnan(infinite.low) and infinite.n == 2


def test_summary_leaves_out_undefined_values_and_keeps_equal_ones() -> None:
    assert summarise([1.0, math.nan, 3.0]) == summarise([1.0, 3.0])
    assert summarise([0.25] * 4) == Summary(0.25, 0.0, 0.25, 0.25, 4)


def test_interval_covers_the_truth_in_95_percent_of_studies() -> None:
    samples = np.random.default_rng(0).normal(size=(2000, 4))
    covered = [found.low <= 0 <= found.high for found in map(summarise, samples)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)  # three standard errors


def test_paired_difference_aligns_seeds() -> None:
    a = pd.Series({0: 5.0, 1: 7.0, 2: 100.0})
    b = pd.Series({1: 4.0, 0: 1.0, 3: -50.0})
    found = paired_difference(a, b)  # 4 and 3
    assert (found.mean, found.n) == (3.5, 2)
    assert found.high - 3.5 == pytest.approx(12.706205 * math.sqrt(0.5) / math.sqrt(2), abs=1e-5)


def test_pairing_removes_what_the_seeds_share() -> None:
    shared = np.array([0.0, 10.0, 20.0, 30.0])
    a, b = pd.Series(shared + np.array([1.1, 0.9, 1.0, 1.0])), pd.Series(shared)
    paired = paired_difference(a, b)
    assert paired.low > 0.8 and paired.high < 1.2
    assert summarise(a).low < summarise(b).high  # unpaired, the intervals overlap widely


def test_share_has_the_exact_binomial_interval() -> None:
    found = summarise_share([True, True, True])
    assert found.mean == 1.0 and found.high == 1.0
    assert found.low == pytest.approx(0.025 ** (1 / 3))  # Clopper-Pearson, closed form for k = n
    assert math.isnan(summarise_share([True]).low)


# --- claims table -------------------------------------------------------------------------------


def test_every_claim_of_the_paper_is_there_unchanged(claims: pd.DataFrame) -> None:
    assert claims["id"].tolist() == PAPER_IDS and len(PAPER_IDS) == 39
    text = claims[list(PAPER_COLUMNS)].to_csv(index=False, lineterminator="\n")
    assert hashlib.sha256(text.encode()).hexdigest() == PAPER_SHA256


def test_claims_read_the_comparisons_that_the_config_defines(claims: pd.DataFrame) -> None:
    assert {name for c in parse_claims(claims) for name in c.comparisons} == COMPARISONS


def test_every_claim_says_what_the_paper_concludes(claims: pd.DataFrame) -> None:
    parsed = parse_claims(claims)
    assert all(claim.rule is not None for claim in parsed)
    assert {claim.id for claim in parsed if math.isnan(claim.value)} == ORDERINGS
    tolerances = claims.set_index("id")["tolerance"]
    assert tolerances["fig6-ssim"] == "0.05" and tolerances["table1-vog-4"] == "2"
    table1 = claims[claims["kind"] == "table1"]
    printed = dict(zip(table1["source"], table1["value"].astype(float), strict=True))
    for row in parsed:  # the paper's own Table 1 obeys the rules
        if row.kind == "table1" and row.rule is not None:
            level = row.sources[0].split("/")[1]
            others = [printed[f"{other}/{level}"] for other in row.rule.others]
            assert all((row.value > other) == row.rule.above for other in others)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("> chance", Rule(True, names=("chance",))),
        ("< vog|plis", Rule(False, names=("vog", "plis"))),
    ],
)
def test_rules(text: str, rule: Rule) -> None:
    parsed = Rule.parse(text)
    assert (parsed.above, parsed.names, str(parsed)) == (rule.above, rule.names, text)


def test_rule_of_a_number() -> None:
    parsed = Rule.parse("< 0.5")
    assert not parsed.above and parsed.number == 0.5 and parsed.others == () == parsed.names
    assert str(parsed) == "< 0.5"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"direction": ">chance"}, "a direction reads like"),
        ({"direction": "above chance"}, "a direction reads like"),
        ({"direction": "> chance|ceiling"}, "chance level to compare with, alone"),
        ({"kind": "guess"}, "kind must be one of"),
        ({"measure": "ssim"}, "measure must be one of"),
        ({"source": ""}, "source must not be empty"),
        ({"source": "x|y"}, "source must be one comparison"),
        ({"value": "many"}, "value must be a number, got 'many'"),
        ({"tolerance": ""}, "a number needs a tolerance"),
        ({"tolerance": "-1"}, "a number needs a tolerance"),
        ({"tolerance": "nan"}, "tolerance must be a number"),
        ({"value": "ordering only", "direction": ""}, "an ordering needs a direction"),
        ({"kind": "ordering", "direction": "> 1"}, "must name what to compare with"),
        (
            {"kind": "accuracy_gap", "measure": "test_accuracy", "direction": "> 0"},
            "two privacy levels",
        ),
        ({"kind": "table1", "measure": "test_accuracy"}, "as loss/eps1"),
        (
            {"kind": "table1", "measure": "test_accuracy", "source": "loss/eps1"},
            "only a comparison has a chance level",
        ),
        (
            {"kind": "training_time", "measure": "training_seconds", "direction": "> x"},
            "relative to a number",
        ),
    ],
)
def test_bad_claims_are_named(changes: Mapping[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=r"^claim 'c': ") as error:
        parse_claims(claim_row(**changes))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_bad_claims_tables() -> None:
    with pytest.raises(ValueError, match=r"missing column.s. direction"):
        parse_claims(claim_row().drop(columns="direction"))
    with pytest.raises(ValueError, match="'c' occurs twice"):
        parse_claims(pd.concat([claim_row(), claim_row()]))


# --- evidence -----------------------------------------------------------------------------------


def test_bad_evidence() -> None:
    plain = statistics("x", "overlap", [1.0, 2.0])
    with pytest.raises(ValueError, match=r"statistics: missing column.s. chance"):
        Evidence(statistics=plain.drop(columns="chance"))
    with pytest.raises(ValueError, match="occurs twice: x, same seed, 0, 0, overlap"):
        Evidence(statistics=pd.concat([plain, plain]))
    with pytest.raises(ValueError, match=r"runs: test_accuracy must lie in \[0, 1\], got 56.6"):
        Evidence(runs=runs(test_accuracy=56.6))


def test_actual_selects_its_runs() -> None:
    frame = runs(dataset=["d", "e", "f"], model=["m", "n", "m"])
    assert RunSetting().among(frame)["dataset"].tolist() == ["d", "e", "f"]
    assert RunSetting("d|e").among(frame)["dataset"].tolist() == ["d", "e"]
    assert RunSetting(model_a="m").among(frame)["dataset"].tolist() == ["d", "f"]
    assert RunSetting("e", "m", "n").among(frame)["dataset"].tolist() == ["e"]


# --- measurement --------------------------------------------------------------------------------


def found(claimed: Claim, **evidence: pd.DataFrame) -> Measurement:
    result = measure(claimed, Evidence(**evidence), RunSetting())
    assert result is not None
    return result


def test_comparison_reads_its_statistic_and_levels() -> None:
    parts = [
        statistics("x", "ssim_matched", [0.4, 0.6, 0.5], chance=0.3),
        statistics("x", "ssim_matched", [0.1, 0.3], "other seed"),
        statistics("x", "ssim_matched", [0.8, 0.8, 0.8], "ceiling a"),
        statistics("x", "ssim_matched", [0.6], "ceiling b"),
        statistics("x", "overlap", [9.0], chance=9.0),
        statistics("y", "ssim_matched", [0.99], chance=0.99),
    ]
    result = found(claim(), statistics=pd.concat(parts))
    assert result.ours == summarise([0.4, 0.6, 0.5])
    levels = (result.chance, result.ceiling, result.independent)
    assert levels == pytest.approx((0.3, 0.7, 0.2))
    assert result.margin is not None and result.margin.mean == pytest.approx(0.2)
    below = found(claim(direction="< ceiling"), statistics=pd.concat(parts))
    assert below.margin is not None and below.margin.mean == pytest.approx(0.2)
    assert below.margin.low == pytest.approx(0.7 - result.ours.high)


def test_comparison_with_another_is_paired_by_seed() -> None:
    parts = [
        statistics("x", "ssim_matched", [0.5, 0.7, 0.9]),
        statistics("y", "ssim_matched", [0.4, 0.6, 0.8]),
    ]
    result = found(claim(direction="> y"), statistics=pd.concat(parts))
    assert result.margin is not None and result.others == pytest.approx({"y": 0.6})
    assert (result.margin.low, result.margin.high) == pytest.approx((0.1, 0.1))


def test_ordering_takes_the_weakest_pair() -> None:
    parts = [
        statistics(name, "overlap", values)
        for name, values in {"a": [10, 12], "b": [7, 9], "c": [1, 3], "d": [6, 7]}.items()
    ]
    claimed = claim(
        kind="ordering", source="a|b", direction="> c|d", measure="overlap", value="ordering only"
    )
    result = found(claimed, statistics=pd.concat(parts))
    assert result.margin == result.ours == summarise([1.0, 2.0])  # b against d
    assert result.others == {"a": 11, "b": 8, "c": 2, "d": 6.5}
    assert measure(claimed, Evidence(statistics=pd.concat(parts[:3])), RunSetting()) is None


def selections(labels: Mapping[tuple[str, int], list[int]]) -> pd.DataFrame:
    rows = [
        {"comparison": "x", "side": side, "seed": seed, "label": label}
        for (side, seed), chosen in labels.items()
        for label in chosen
    ]
    return pd.DataFrame(rows)


def test_dominant_class() -> None:
    claimed = claim(
        kind="dominant_class",
        measure="dominant_class",
        value="ordering only",
        tolerance="",
        direction="> 0.5",
    )
    frame = selections(
        {
            **{("a", 0): [1, 1, 2], ("b", 0): [2, 2, 1]},  # differ
            **{("a", 1): [1, 1, 3], ("b", 1): [1, 1, 2]},  # agree
            **{("a", 2): [4, 4, 5, 5], ("b", 2): [5, 5, 5, 1]},  # a tie that includes 5: agree
            **{("a", 3): [1], ("b", 4): [1]},  # seeds of one side only
        }
    )
    result = found(claimed, selections=frame)
    assert result.ours.mean == pytest.approx(1 / 3) and result.ours.n == 3
    assert result.margin is not None and result.margin.mean == pytest.approx(1 / 3 - 0.5)
    # Pairs of seeds that differ: on side a 1 | 1 | 4,5 | 1: 3 of 6; on b 2 | 1 | 5 | 1: 5 of 6.
    assert result.ceiling == pytest.approx(8 / 12)


def test_accuracy_gap_is_paired_and_in_points() -> None:
    claimed = claim(
        kind="accuracy_gap", source="eps1|eps8", measure="test_accuracy", direction="> 0"
    )
    frame = runs(
        privacy=["eps1", "eps1", "eps8", "eps8", "eps8"],
        seed=[0, 1, 0, 1, 2],
        test_accuracy=[0.5, 0.6, 0.7, 0.82, 0.1],
    )
    result = found(claimed, full=frame)
    assert result.ours.mean == pytest.approx(21.0) and result.ours.n == 2
    assert result.margin is not None and result.margin.low == pytest.approx(result.ours.low)
    below = claim(
        kind="accuracy_gap", source="eps1|eps8", measure="test_accuracy", direction="< 30"
    )
    margin = found(below, full=frame).margin
    assert margin is not None and margin.mean == pytest.approx(9.0)
    assert margin.low == pytest.approx(30 - result.ours.high)
    elsewhere = Evidence(full=pd.concat([frame, frame.assign(dataset="e", test_accuracy=0.5)]))
    chosen = measure(claimed, elsewhere, RunSetting("d"))
    assert chosen is not None and chosen.ours == result.ours


def test_table1_must_beat_each_of_the_others() -> None:
    frame = runs(
        removal=["loss", "vog", "plis"] * 2 + ["loss"],
        seed=[0, 0, 0, 1, 1, 1, 0],
        privacy=["eps1"] * 6 + ["eps4"],
        test_accuracy=[0.6, 0.5, 0.58, 0.64, 0.5, 0.60, 0.99],
    )
    claimed = claim(
        kind="table1", source="loss/eps1", measure="test_accuracy", direction="> vog|plis"
    )
    result = found(claimed, runs=frame)
    assert result.ours.mean == pytest.approx(62.0)
    assert result.margin is not None and result.margin.mean == pytest.approx(3.0)
    assert result.others == pytest.approx({"vog": 50.0, "plis": 59.0})


def test_train_accuracy_takes_the_smallest_rise() -> None:
    frame = runs(
        removal=["none", "loss", "vog"] * 2,
        privacy=["eps1"] * 3 + ["nonprivate"] * 3,
        train_accuracy=[0.5, 0.6, 0.55, 0.9, 0.95, 0.88],
    )
    claimed = claim(
        kind="train_accuracy",
        source="loss|vog",
        measure="train_accuracy",
        value="ordering only",
        tolerance="",
        direction="> none",
    )
    result = found(claimed, runs=frame)
    assert result.ours.mean == pytest.approx(-2.0)
    assert result.where == ("vog", "nonprivate") and "(3 positive)" in result.note
    lacking = Evidence(runs=frame[frame["removal"] != "loss"])
    assert measure(claimed, lacking, RunSetting()) is None


def test_training_time_is_relative_to_the_same_seed_and_level() -> None:
    frame = runs(
        removal=["none", "loss", "vog", "random"] * 2,
        seed=[0] * 4 + [1] * 4,
        training_seconds=[100.0, 50.0, 60.0, 1.0, 10.0, 5.0, 8.0, 1.0],
    )
    claimed = claim(
        kind="training_time", source="loss|vog", measure="training_seconds", direction="> 0"
    )
    ours = found(claimed, runs=frame).ours
    assert (ours.mean, ours.n) == (pytest.approx(40.0), 2)  # 45 and 35
    assert ours.sd == pytest.approx(50**0.5)


def test_scoring_time_takes_the_most_expensive_setting() -> None:
    frame = runs(
        privacy=["eps1", "eps1", "nonprivate", "nonprivate"],
        seed=[0, 1, 0, 1],
        training_seconds=[200.0, 100.0, 100.0, 100.0],
        scoring_seconds=[20.0, 10.0, 70.0, 90.0],
    )
    claimed = claim(
        kind="scoring_time", source="each", measure="scoring_seconds", direction="> 0.5"
    )
    result = found(claimed, full=frame)
    assert result.ours == summarise([0.7, 0.9]) and result.where == ("d", "m", "nonprivate")


def test_a_seed_that_occurs_in_two_data_sets_needs_a_choice() -> None:
    frame = runs(dataset=["d", "e"], removal="loss")
    claimed = claim(kind="table1", source="loss/eps1", measure="test_accuracy", direction="")
    with pytest.raises(ValueError, match="seed 0 occurs twice"):
        measure(claimed, Evidence(runs=frame), RunSetting())
    assert measure(claimed, Evidence(runs=frame), RunSetting("d")) is not None


# --- verdicts -----------------------------------------------------------------------------------

ABOVE, BELOW = Summary(0.1, 0.1, 0.05, 0.15, 3), Summary(-0.1, 0.1, -0.15, -0.05, 3)
NEAR, FAR = summarise([0.55, 0.56, 0.57]), summarise([0.79, 0.80, 0.81])
WIDE = Summary(0.7, 0.2, 0.45, 0.95, 3)


@pytest.mark.parametrize(
    ("ours", "margin", "changes", "substituted", "verdict"),
    [
        (NEAR, ABOVE, {}, False, REPRODUCED),  # within the tolerance
        (WIDE, ABOVE, {}, False, REPRODUCED),  # within the interval only
        (summarise([0.6]), Summary(0.1, math.nan, math.nan, math.nan, 1), {}, False, REPRODUCED),
        (FAR, ABOVE, {}, False, SAME_DIRECTION),
        # At the tolerance: as floats 0.9 - 0.8 < 0.1 < 0.4 - 0.3.
        (summarise([0.9]), ABOVE, {"value": "0.8"}, False, REPRODUCED),
        (summarise([0.4]), ABOVE, {"value": "0.3"}, False, REPRODUCED),
        (NEAR, summarise([0.0, 0.0]), {}, False, NOT_REPRODUCED),  # equal is not above
        (NEAR, BELOW, {}, False, NOT_REPRODUCED),  # the number alone is not the claim
        (FAR, BELOW, {}, False, NOT_REPRODUCED),
        (NEAR, None, {}, False, NOT_RUN),  # nothing to judge the direction by
        (NEAR, None, {"direction": ""}, False, REPRODUCED),
        (FAR, None, {"direction": ""}, False, NOT_REPRODUCED),
        (NEAR, ABOVE, {}, True, SAME_DIRECTION + SUBSTITUTE),
        (FAR, BELOW, {}, True, NOT_REPRODUCED + SUBSTITUTE),
        (NEAR, None, {}, True, NOT_RUN),
        (NEAR, None, {"direction": ""}, True, NOT_RUN),  # a number alone says nothing here
        (FAR, ABOVE, {"value": "ordering only"}, False, REPRODUCED),
        (FAR, BELOW, {"value": "ordering only"}, False, NOT_REPRODUCED),
        (FAR, ABOVE, {"value": "ordering only"}, True, SAME_DIRECTION + SUBSTITUTE),
        (FAR, BELOW, {"value": "ordering only"}, True, NOT_REPRODUCED + SUBSTITUTE),
    ],
)
def test_verdicts(
    ours: Summary,
    margin: Summary | None,
    changes: dict[str, str],
    substituted: bool,
    verdict: str,
) -> None:
    assert judge(claim(**changes), Measurement(ours, margin), substituted) == verdict
    assert verdict in VERDICTS


# --- planted studies ----------------------------------------------------------------------------


def planted(claims: pd.DataFrame, agreeing: bool) -> Evidence:
    """A study in which every claim holds with the paper's numbers, or in which none does."""
    wiggle = np.array([-0.001, 0.0, 0.001])
    orderings = {("dp-vog", "overlap"): 20.0, ("dp-plis", "overlap"): 18.0}
    orderings |= {("dp-loss", "overlap"): 2.0, ("dp-grad_norm", "overlap"): 3.0}
    values = orderings | {("plis-eps1-eps8", "ssim_matched"): 0.5}
    parts = []
    for row in parse_claims(claims):
        if row.kind == "comparison":
            values[row.sources[0], row.measure] = row.value
    if not agreeing:
        values[("dp-plis", "overlap")] = 1.0
        values[("plis-eps1-eps8", "ssim_matched")] = 0.9
        values[("cinic10-eps4-eps8", "overlap")] = 20.0  # the larger data set, within tolerance
        for name in ("dp-loss", "dp-grad_norm"):
            values[name, "pearson_top_a"] = 0.8
        for name in ("vog-plis-nonprivate", "vog-plis-eps4"):
            values[name, "pearson_extremes"] = 0.8
    for (name, statistic), value in values.items():
        rule = [
            row.rule
            for row in parse_claims(claims)
            if row.sources == (name,) and row.measure == statistic and row.rule is not None
        ]
        below = bool(rule) and not rule[0].above
        level = value + (0.1 if below == agreeing else -0.1)
        parts += [
            statistics(name, statistic, value + wiggle, chance=level),
            statistics(name, statistic, level + wiggle, "ceiling a"),
            statistics(name, statistic, level + wiggle, "ceiling b"),
        ]
    chosen = {("a", seed): [1, 1, 2] for seed in SEEDS}
    chosen |= {("b", seed): [2, 2, 1] if agreeing else [1, 1, 2] for seed in SEEDS}
    return Evidence(
        pd.concat(parts),
        selections(chosen).replace({"comparison": "x"}, "fig10"),
        planted_runs(claims, agreeing),
        planted_full(agreeing),
    )


def planted_runs(claims: pd.DataFrame, agreeing: bool) -> pd.DataFrame:
    accuracy = {row.sources[0]: row.value for row in parse_claims(claims) if row.kind == "table1"}
    exchange = {"loss": "vog", "vog": "loss", "grad_norm": "plis", "plis": "grad_norm"}
    rows = []
    for privacy in ("eps1", "eps4", "eps8"):
        for seed in SEEDS:
            rows += [
                {
                    **{"privacy": privacy, "seed": seed, "removal": score},
                    "test_accuracy": accuracy[f"{score if agreeing else exchange[score]}/{privacy}"]
                    / 100
                    + seed / 1000,
                    "train_accuracy": 0.8 if agreeing else 0.6,
                    "training_seconds": 50.0 if agreeing else 110.0,
                }
                for score in SCORES
            ]
            rows.append(
                {
                    **{"privacy": privacy, "seed": seed, "removal": "none"},
                    **{"test_accuracy": 0.6, "train_accuracy": 0.7, "training_seconds": 100.0},
                }
            )
    return pd.DataFrame(rows).assign(dataset="cifar10", model="resnet18")


def planted_full(agreeing: bool) -> pd.DataFrame:
    rows = [
        {
            **{"dataset": "pppd", "model": "resnet18", "privacy": privacy, "seed": seed},
            **{"train_accuracy": 0.9, "test_accuracy": accuracy + seed / 100},
            "training_seconds": 100.0,
            "scoring_seconds": 95.0 if agreeing else 5.0,
        }
        for privacy, accuracy in (("eps1", 0.6), ("eps8", 0.811 if agreeing else 0.59))
        for seed in SEEDS
    ]
    return pd.DataFrame(rows)


def planted_context(substitutes: str = "") -> dict[str, RunSetting | None]:
    of_comparisons = dict.fromkeys(
        COMPARISONS, RunSetting("cifar10", "resnet18", substitutes=substitutes)
    )
    pruned = RunSetting("cifar10", "resnet18", substitutes=substitutes)
    return {
        **of_comparisons,
        "cinic10-eps4-eps8": RunSetting("cinic10", "resnet18", substitutes=substitutes),
        **dict.fromkeys(("table1", "train_accuracy", "training_time"), pruned),
        "accuracy_gap": RunSetting("pppd", "resnet18", substitutes=substitutes),
        "scoring_time": RunSetting(substitutes=substitutes),
    }


@pytest.mark.parametrize("identifier", PAPER_IDS)
def test_each_claim_can_be_reproduced_and_can_fail(
    claims: pd.DataFrame, scorecards: dict[bool, pd.DataFrame], identifier: str
) -> None:
    verdicts = {agreeing: card.loc[identifier, "verdict"] for agreeing, card in scorecards.items()}
    assert verdicts == {True: REPRODUCED, False: NOT_REPRODUCED}


@pytest.fixture(scope="module")
def scorecards(claims: pd.DataFrame) -> dict[bool, pd.DataFrame]:
    context = planted_context()
    return {
        agreeing: build_scorecard(claims, planted(claims, agreeing), context).set_index("id")
        for agreeing in (True, False)
    }


def test_scorecard_shows_the_numbers(scorecards: dict[bool, pd.DataFrame]) -> None:
    row = scorecards[True].loc["fig2-ssim"]
    assert row["ours"] == pytest.approx(0.552) and row["n"] == 3
    assert (row["chance"], row["ceiling"]) == pytest.approx((0.452, 0.452))
    half = 4.302653 * 0.001 / math.sqrt(3)
    assert (row["low"], row["high"]) == pytest.approx((0.552 - half, 0.552 + half), abs=1e-8)
    assert row["margin"] == pytest.approx(0.1) and row["margin_low"] > 0
    assert row["paper"] == "0.552" and row["paper_model"] == "wideresnet50|resnet101"
    assert (row["paper_privacy"], row["dataset"], row["model"]) == ("eps=4", "cifar10", "resnet18")
    assert row["reading"].startswith("0.55 [0.55, 0.55] against the paper's 0.552; chance 0.45")
    assert scorecards[True].loc["table1-vog-4", "privacy"] == "eps4"
    assert scorecards[True].loc["pppd-accuracy-gap", "privacy"] == "eps1|eps8"
    assert "21.1" in scorecards[True].loc["pppd-accuracy-gap", "reading"]
    assert scorecards[True].loc["fig3", "ours"] == pytest.approx(15.0)
    assert "dp-grad_norm: 3.0" in scorecards[True].loc["fig3", "reading"]


def test_substitutes_reproduce_no_number(claims: pd.DataFrame) -> None:
    substitutes = "digits for CIFAR-10"
    for agreeing, verdict in ((True, SAME_DIRECTION), (False, NOT_REPRODUCED)):
        card = build_scorecard(claims, planted(claims, agreeing), planted_context(substitutes))
        assert set(card["verdict"]) == {verdict + SUBSTITUTE}
        assert set(card["substitutes"]) == {substitutes}


def test_one_substitute_among_the_comparisons_of_a_claim_counts(claims: pd.DataFrame) -> None:
    context = planted_context() | {
        "fig8": RunSetting("digits", "resnet9", substitutes="digits for X")
    }
    card = build_scorecard(claims, planted(claims, True), context).set_index("id")
    assert card.loc["overlap-cinic10", "verdict"] == SAME_DIRECTION + SUBSTITUTE
    assert card.loc["overlap-cinic10", "dataset"] == "cinic10|digits"
    assert card.loc["fig9-ssim", "verdict"] == REPRODUCED


def test_substitutes_that_leave_nothing_to_compare(claims: pd.DataFrame) -> None:
    alike = RunSetting("digits", "resnet9", "resnet9", "eps4", "eps4", "digits for X")
    apart = RunSetting("digits", "resnet9", "resnet9", "eps4", "eps8", "digits for X")
    context = planted_context("digits for X")
    context |= {"fig2": alike, "fig8": apart, "cinic10-eps4-eps8": apart}
    context |= dict.fromkeys(
        ("vog-plis-eps4", "dp-vog", "dp-plis", "dp-loss", "dp-grad_norm"), alike
    )
    card = build_scorecard(claims, planted(claims, True), context).set_index("id")
    empty = card[card["verdict"] == NOT_RUN]
    # Two scores of the same run, and orderings of scores, still say something.
    assert set(empty.index) == {
        *("fig2-ssim", "fig2-bd", "loss-pearson", "gradnorm-pearson", "overlap-cinic10")
    }
    assert empty["reading"].str.contains("the same runs").all() and empty["ours"].isna().all()


def test_a_claim_needs_all_its_comparisons(claims: pd.DataFrame) -> None:
    context = planted_context() | {"fig8": None}
    card = build_scorecard(claims, planted(claims, True), context).set_index("id")
    assert card.loc["overlap-cinic10", "verdict"] == card.loc["overlap-cifar10", "verdict"]
    assert card.loc["overlap-cinic10", "verdict"] == NOT_RUN


def test_what_is_not_run_is_said(claims: pd.DataFrame) -> None:
    nothing = build_scorecard(claims, Evidence(), {})
    nobody = build_scorecard(claims, planted(claims, True), dict.fromkeys(planted_context(), None))
    no_results = build_scorecard(claims, Evidence(), planted_context())
    for card in (nothing, nobody, no_results):
        assert card["id"].tolist() == PAPER_IDS
        assert set(card["verdict"]) == {NOT_RUN}
        assert card["ours"].isna().all() and (card["n"] == 0).all()
        assert card["ours"].dtype == np.float64
    assert set(nobody["reading"]) != set(no_results["reading"])
    counts = summarise_verdicts(nothing)
    assert counts["verdict"].tolist() == list(VERDICTS)
    assert counts.set_index("verdict")["claims"].to_dict() == dict.fromkeys(VERDICTS, 0) | {
        NOT_RUN: 39
    }


def test_context_by_claim_comes_first(claims: pd.DataFrame) -> None:
    context = planted_context() | {"fig2-ssim": None, "table1-loss-1": RunSetting("elsewhere")}
    card = build_scorecard(claims, planted(claims, True), context).set_index("id")
    assert card.loc["fig2-ssim", "verdict"] == card.loc["table1-loss-1", "verdict"] == NOT_RUN
    assert card.loc["fig2-bd", "verdict"] == REPRODUCED


def reading(claimed: pd.DataFrame, *parts: pd.DataFrame) -> str:
    card = build_scorecard(claimed, Evidence(pd.concat(parts)), {"c": RunSetting()})
    return str(card.loc[0, "reading"])


def test_readings_say_what_limits_them() -> None:
    one = reading(claim_row(), statistics("x", "ssim_matched", [0.5], chance=0.4))
    assert one == "0.50 against the paper's 0.5; chance 0.40; one seed, so no interval"
    no_ceiling = reading(
        claim_row(direction="< ceiling"), statistics("x", "ssim_matched", [0.5, 0.5])
    )
    assert (
        "nothing to judge by whether it is below the ceiling (a ceiling needs two seeds)"
        in no_ceiling
    )
    unsettled = reading(claim_row(), statistics("x", "ssim_matched", [0.2, 0.9], chance=0.4))
    assert "does not settle whether it is above chance" in unsettled
    only_wide = reading(claim_row(), statistics("x", "ssim_matched", [0.5, 0.8], chance=0.4))
    assert "within our interval but not within 0.1 of our mean" in only_wide
    differs = reading(claim_row(), statistics("x", "ssim_matched", [0.7, 0.71], chance=0.4))
    assert "within" not in differs
    other = statistics("x", "ssim_matched", [0.3], "other seed")
    apart = reading(claim_row(), statistics("x", "ssim_matched", [0.5], chance=0.4), other)
    assert "independent initial weights 0.30" in apart


def test_readings_call_things_what_they_are_told_to(claims: pd.DataFrame) -> None:
    asked: list[list[str]] = []

    def labels(names: Sequence[str]) -> dict[str, str]:
        asked.append(list(names))
        return {name: f"«{name}»" for name in names}

    planted_claims = planted(claims, False), planted_context()
    card = build_scorecard(claims, *planted_claims, labels).set_index("id")["reading"]
    assert "«dp-grad_norm»:" in card["fig3"] and "«vog»:" in card["table1-loss-1"]
    assert "rises (" in card["train-accuracy-rises"] and "«eps" in card["train-accuracy-rises"]
    assert "settings, «pppd», «resnet18», «eps" in card["score-overhead"]
    assert any({"dp-vog", "dp-loss"} <= set(names) for names in asked)
    plain = build_scorecard(claims, *planted_claims)
    pd.testing.assert_series_equal(
        card.str.replace("[«»]", "", regex=True), plain.set_index("id")["reading"]
    )


def test_rules_in_words() -> None:
    words = {"vog": "VoG", "plis": "PLIS"}
    assert Rule.parse("> vog|plis").in_words(words) == "above VoG and PLIS"
    assert Rule.parse("< ceiling").in_words({}) == "below the ceiling"
    assert Rule.parse("> chance").in_words({}) == "above chance"
    assert Rule.parse("< 0.50").in_words({}) == "below 0.5"
