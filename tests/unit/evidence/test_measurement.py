"""What claims measure, by hand: every kind, every reference."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from planted import claim, runs, selections, statistics

from gradval.evidence import Claim, Evidence, Measurement, RunSetting, measure, summarise
from gradval.evidence.levels import ScoreTable, levels_by_seed
from gradval.evidence.runs import scoring_gradients
from gradval.selection.agreement import pairings

SAME_MODEL = RunSetting("d", "m", "m")


def found(claimed: Claim, run: RunSetting = SAME_MODEL, **evidence: pd.DataFrame) -> Measurement:
    result = measure(claimed, Evidence(**evidence), run)
    assert result is not None
    return result


def part(result: Measurement) -> list[float]:
    assert len(result.parts) == 1
    return [float(value) for value in result.parts[0].values.dropna()]


def pairs(
    *, across: float, ceiling: float, seeds: int, draws: int, seed_sd: float = 0.0, other: float
) -> pd.DataFrame:
    """All pairings of a comparison; pairs that share weights agree by more than others."""
    shared = np.random.default_rng(0).normal(0, seed_sd, seeds)
    every = [(s, d) for s in range(seeds) for d in range(draws)]
    rows = []
    for pairing, (_, a), (_, b) in pairings(every):
        value = ceiling if "ceiling" in pairing else across
        value += (shared[a[0]] + shared[b[0]]) / 2 - (other if a[0] != b[0] else 0.0)
        rows.append((pairing, *a, *b, value))
    columns = ["pairing", "seed_a", "draw_a", "seed_b", "draw_b", "value"]
    return pd.DataFrame(rows, columns=columns).assign(
        comparison="x", statistic="ssim_matched", chance=0.1
    )


def test_comparison_reads_its_statistic_and_levels() -> None:
    parts = [
        statistics("x", "ssim_matched", [0.4, 0.6, 0.5], chance=0.3),
        statistics("x", "ssim_matched", [0.1, 0.3], "other seed"),
        statistics("x", "ssim_matched", [0.8, 0.8, 0.8], "ceiling a"),
        statistics("x", "ssim_matched", [0.6], "ceiling b"),
        statistics("x", "ssim_matched", [0.9], "draw ceiling a"),
        statistics("x", "overlap", [9.0], chance=9.0),
        statistics("y", "ssim_matched", [0.99], chance=0.99),
    ]
    result = found(claim(), statistics=pd.concat(parts))
    assert result.ours == summarise([0.4, 0.6, 0.5])
    levels = (result.chance, result.seed_ceiling, result.draw_ceiling, result.other_weights)
    assert levels == pytest.approx((0.3, 0.7, 0.9, 0.2))
    assert part(result) == pytest.approx([0.1, 0.3, 0.2])


def test_draws_of_a_seed_are_averaged_before_seeds_are() -> None:
    rows = [statistics("x", "ssim_matched", v, draw_b=d) for d, v in ((0, [0.2, 0.4]), (1, [0.6]))]
    result = found(claim(reference="", null="0"), statistics=pd.concat(rows))
    assert part(result) == pytest.approx([0.4, 0.4])


def test_comparison_with_others_and_with_another_statistic_is_paired_by_seed() -> None:
    parts = [
        statistics("x", "pearson", [0.5, 0.7, 0.9]),
        statistics("x", "pearson_extremes", [0.4, 0.3, 0.2]),
        statistics("y", "pearson_extremes", [0.3, 0.3, 0.3]),
    ]
    extremes = claim(measure="pearson_extremes", reference="@pearson")
    assert part(found(extremes, statistics=pd.concat(parts))) == pytest.approx([-0.1, -0.4, -0.7])
    other = found(claim(measure="pearson_extremes", reference="y"), statistics=pd.concat(parts))
    assert part(other) == pytest.approx([0.1, 0.0, -0.1]) and other.others == {"y": 0.3}


def test_every_source_against_every_reference() -> None:
    parts = [
        statistics(name, "overlap", values)
        for name, values in {"a": [10, 12], "b": [7, 9], "c": [1, 3], "d": [6, 7]}.items()
    ]
    claimed = claim(source="a|b", reference="c|d", measure="overlap", value="ordering only")
    result = found(claimed, statistics=pd.concat(parts))
    names = [p.name for p in result.parts]
    assert names == ["a against c", "a against d", "b against c", "b against d"]
    assert result.parts[3].values.tolist() == [1.0, 2.0] and result.ours.mean == 9.5
    mean = claim(
        **{"source": "a|b", "reference": "c|d", "measure": "overlap", "quantifier": "mean"}
    )
    assert part(found(mean, statistics=pd.concat(parts))) == pytest.approx([5.0, 5.5])
    # A reference that was not run leaves nothing to judge by.
    assert found(claimed, statistics=pd.concat(parts[:3])).parts == ()
    assert measure(claimed, Evidence(statistics=parts[0]), RunSetting()) is None


def test_ceiling_compares_like_with_like() -> None:
    """Sharing weights adds 0.3 to every pair: only pairs that share as much may be compared."""
    rows = pairs(across=0.5, ceiling=0.6, seeds=4, draws=2, seed_sd=0.1, other=0.3)
    below = claim(reference="ceiling", side="below")
    with_draws = found(below, statistics=rows)
    assert part(with_draws) == pytest.approx([-0.1] * 4)
    one_draw = rows[(rows["draw_a"] == 0) & (rows["draw_b"] == 0)]
    without = found(below, statistics=one_draw)
    assert part(without) == pytest.approx([-0.1] * 4)
    # The naive difference is not even of the right sign.
    naive = with_draws.ours.mean - with_draws.seed_ceiling
    assert naive == pytest.approx(0.2)


def test_sides_of_two_models_share_no_weights() -> None:
    rows = pairs(across=0.5, ceiling=0.6, seeds=3, draws=2, other=0.0)
    # Here the draw ceiling is higher than anything two models could reach.
    rows.loc[rows["pairing"].str.startswith("draw ceiling"), "value"] = 0.99
    result = found(claim(reference="ceiling"), RunSetting("d", "m", "n"), statistics=rows)
    assert part(result) == pytest.approx([-0.1] * 3)


def test_two_seeds_without_draws_give_an_estimate_without_error() -> None:
    rows = pairs(across=0.5, ceiling=0.6, seeds=2, draws=1, other=0.3)
    assert part(found(claim(reference="ceiling"), statistics=rows)) == pytest.approx([-0.1])
    one = pairs(across=0.5, ceiling=0.6, seeds=1, draws=1, other=0.3)
    assert found(claim(reference="ceiling"), statistics=one).parts == ()


def test_halfway_between_chance_and_ceiling() -> None:
    rows = pairs(across=0.5, ceiling=0.6, seeds=3, draws=2, other=0.2)
    result = found(claim(reference="halfway"), statistics=rows)
    assert part(result) == pytest.approx([0.5 - (0.6 + 0.1) / 2] * 3)


def test_correlation_is_corrected_for_reliability() -> None:
    rows = pairs(across=0.3, ceiling=0.5, seeds=3, draws=2, other=0.0)
    # Of one run's two scores only the pairs of different draws tell without shared noise.
    own = (rows["pairing"] == "same seed") & (rows["draw_a"] == rows["draw_b"])
    rows.loc[own, "value"] = 0.99
    rows.loc[(rows["pairing"] == "same seed") & ~own, "pairing"] = "other draw"
    rows["statistic"] = "pearson"
    claimed = claim(reference="reliability", measure="pearson", side="below", null="0.9")
    assert part(found(claimed, statistics=rows)) == pytest.approx([0.6] * 3)


def test_exact_chance_takes_the_pair_that_says_least() -> None:
    rows = statistics("x", "overlap", [9.0, 4.0, 8.0], chance=1.0)
    rows = rows.assign(chance_p=[1e-9, 0.02, 1e-8], exact_low=[5, 1.5, 5], exact_high=[12, 8, 12])
    result = found(claim(measure="overlap", unit="sample"), statistics=rows)
    exact = result.parts[0].exact
    assert exact is not None and (exact.difference, exact.p_above) == (3.0, 0.02)
    assert (exact.low, exact.high) == (0.5, 7.0)


def test_equality_is_guarded_by_chance() -> None:
    rows = pd.concat(
        [
            pairs(across=0.5, ceiling=0.5, seeds=3, draws=2, other=0.0),
            statistics("x", "overlap", [5.0, 6.0, 7.0], chance=1.0),
        ]
    )
    result = found(claim(reference="ceiling", side="equal", null="0.1"), statistics=rows)
    assert [p.values.tolist() for p in result.guards] == [[4.0, 5.0, 6.0]]
    assert found(claim(reference="ceiling"), statistics=rows).guards == []


def test_dominant_class() -> None:
    claimed = claim(
        **{"kind": "dominant_class", "measure": "dominant_class", "value": "ordering only"},
        **{"reference": "", "null": "0.5"},
    )
    frame = selections(
        {
            **{("a", 0): [1, 1, 2], ("b", 0): [2, 2, 1]},  # differ
            **{("a", 1): [1, 1, 3], ("b", 1): [1, 1, 2]},  # agree
            **{("a", 2): [4, 4, 5, 5], ("b", 2): [5, 5, 5, 1]},  # a tie that includes 5: agree
        }
    )
    result = found(claimed, selections=frame)
    assert result.ours.mean == pytest.approx(1 / 3) and result.ours.n == 3
    exact = result.parts[0].exact
    assert exact is not None and exact.p_above == 1.0  # 1 of 3 heads is nothing
    # Pairs of seeds that differ: on side a 1 | 1 | 4,5: 2 of 3; on b 2 | 1 | 5: 3 of 3.
    assert result.seed_ceiling == pytest.approx(5 / 6)
    all_differ = selections({(side, s): [n] for s in range(6) for n, side in enumerate("ab")})
    exact = found(claimed, selections=all_differ).parts[0].exact
    assert exact is not None and exact.p_above == pytest.approx(2 / 2**6)
    assert exact.low == pytest.approx(0.025 ** (1 / 6))


def test_selected_images() -> None:
    frame = selections({("a", 0): [1, 1], ("b", 0): [1, 1], ("a", 1): [1], ("b", 1): [1]})
    frame["contrast"] = [0.1, 0.3, 0.6, 0.8, 0.4, 0.5]
    claimed = claim(
        **{"kind": "selected_images", "source": "x/a", "measure": "contrast", "side": "below"},
        **{"reference": "", "null": "0.5", "value": "ordering only"},
    )
    assert part(found(claimed, selections=frame)) == pytest.approx([0.2, 0.4])
    other = claim(
        **{"kind": "selected_images", "source": "x/a", "measure": "contrast"},
        **{"reference": "other_side", "value": "ordering only"},
    )
    assert part(found(other, selections=frame)) == pytest.approx([-0.5, -0.1])
    assert (
        measure(claimed, Evidence(selections=frame.drop(columns="contrast")), RunSetting()) is None
    )


def test_levels() -> None:
    """The effects of two scores at two pairs of levels, as `levels_by_seed` leaves them."""
    rng = np.random.default_rng(0)
    rows, values = [], []
    for score, p, s, d in itertools.product(
        ("vog", "loss"), ("nonprivate", "eps4", "eps8"), range(3), range(2)
    ):
        rows.append(("m", p, s, d, score))
        values.append(rng.normal(size=180))
    table = pd.DataFrame(rows, columns=["model", "privacy", "seed", "draw", "score"])
    levels = levels_by_seed(ScoreTable("d", np.arange(180) % 3, table, np.array(values)))
    kind = {"kind": "levels", "measure": "overlap", "value": "ordering only"}
    effects = levels[
        (levels["quantity"] == "effect") & (levels["statistic"] == "overlap") & (levels["k"] == 25)
    ].pivot_table(index="seed", columns=["score", "privacy_a", "privacy_b"], values="value")

    one = found(claim(**kind, source="vog/nonprivate:eps4", reference=""), levels=levels)
    assert part(one) == pytest.approx(effects["vog", "nonprivate", "eps4"].tolist())
    every = found(claim(**kind, source="vog/each", reference="", side="below"), levels=levels)
    assert len(every.parts) == 3 and len(every.guards) == 3
    difference = claim(**kind, source="vog/each", reference="loss", side="below", quantifier="mean")
    expected = (effects["vog"] - effects["loss"]).mean(axis=1)
    assert part(found(difference, levels=levels)) == pytest.approx(expected.tolist())
    assert every.chance == pytest.approx(25 / 60)
    missing = claim(**kind, source="plis/each", reference="")
    assert measure(missing, Evidence(levels=levels), SAME_MODEL) is None
    elsewhere = claim(**kind, source="vog/each", reference="")
    assert measure(elsewhere, Evidence(levels=levels), RunSetting("e")) is None


def test_accuracy_gaps_are_paired_and_in_points() -> None:
    claimed = claim(
        kind="accuracy", source="eps1|eps8", measure="test_accuracy", reference="", value="21.1"
    )
    frame = runs(
        privacy=["eps1", "eps1", "eps8", "eps8", "eps8"],
        seed=[0, 1, 0, 1, 2],
        test_accuracy=[0.5, 0.6, 0.7, 0.82, 0.1],
    )
    result = found(claimed, full=frame)
    assert result.ours.mean == pytest.approx(21.0) and result.ours.n == 2
    assert part(result) == pytest.approx([20.0, 22.0])
    assert measure(claimed, Evidence(full=frame[:2]), SAME_MODEL) is None


REMOVAL = {"kind": "removal", "measure": "test_accuracy", "value": "ordering only"}


def pruned() -> pd.DataFrame:
    """Accuracies 10 times the place in the list, plus 1 at eps4, plus the seed."""
    removals = ["plis", "vog", "grad_norm", "loss", "none"]
    return pd.concat(
        [
            runs(
                removal=removal,
                privacy=privacy,
                seed=[0, 1],
                test_accuracy=[(10 * i + bonus + seed) / 100 for seed in (0, 1)],
            )
            for i, removal in enumerate(removals)
            for privacy, bonus in (("eps1", 0), ("eps4", 1))
        ]
    )


def test_a_removal_must_beat_each_of_the_others() -> None:
    result = found(claim(**REMOVAL, source="loss/eps1", reference="vog|plis"), runs=pruned())
    assert result.ours.mean == pytest.approx(30.5)
    assert [p.values.tolist() for p in result.parts] == [
        pytest.approx([20.0, 20.0]),
        pytest.approx([30.0, 30.0]),
    ]
    assert result.others == pytest.approx({"vog": 10.5, "plis": 0.5})


def test_removals_over_levels() -> None:
    contrast = dict(source="loss|grad_norm/each", reference="vog|plis")
    mean = found(claim(**REMOVAL, **contrast, quantifier="mean"), runs=pruned())
    assert part(mean) == pytest.approx([20.0, 20.0]) and mean.ours.mean == pytest.approx(20.0)
    by_level = found(claim(**REMOVAL, **contrast, quantifier="every_level"), runs=pruned())
    assert [p.name for p in by_level.parts] == ["mean at eps1", "mean at eps4"]
    order = found(
        claim(**REMOVAL, source="loss|grad_norm|vog|plis/each", reference="next"), runs=pruned()
    )
    assert len(order.parts) == 6
    assert all(p.values.tolist() == pytest.approx([10.0, 10.0]) for p in order.parts)
    rising = found(
        claim(**REMOVAL, source="loss|vog/each", reference="previous_level"), runs=pruned()
    )
    assert [p.name for p in rising.parts] == ["loss at eps4", "vog at eps4"]
    assert all(p.values.tolist() == pytest.approx([1.0, 1.0]) for p in rising.parts)


def test_non_private_removals_and_other_fractions_are_apart() -> None:
    frame = pd.concat(
        [pruned(), pruned().assign(privacy="nonprivate").drop_duplicates(["removal", "seed"])]
    )
    each = found(claim(**REMOVAL, source="loss/each", reference="vog"), runs=frame)
    every = found(claim(**REMOVAL, source="loss/all", reference="vog"), runs=frame)
    assert (len(each.parts), len(every.parts)) == (2, 3)
    larger = claim(**REMOVAL, source="loss/each/0.35", reference="vog")
    assert measure(larger, Evidence(runs=frame), SAME_MODEL) is None
    both = pd.concat([frame.assign(fraction=0.25), frame.assign(fraction=0.35)])
    assert len(found(larger, runs=both).parts) == 2
    assert len(found(claim(**REMOVAL, source="loss/each", reference="vog"), runs=both).parts) == 2
    lacking = Evidence(runs=frame[frame["removal"] != "vog"])
    assert (
        measure(claim(**REMOVAL, source="loss/each", reference="vog"), lacking, RunSetting())
        is None
    )


def test_savings_are_counted_in_gradients() -> None:
    frame = runs(
        removal=["none", "loss", "vog", "random"] * 2,
        seed=[0] * 4 + [1] * 4,
        training_gradients=[100.0, 50.0, 60.0, 1.0, 10.0, 5.0, 8.0, 1.0],
        scoring_gradients=[20.0] * 4 + [2.0] * 4,
    )
    count = {"kind": "saving", "source": "loss|vog", "reference": "", "unit": "count"}
    training = found(claim(**count, measure="training_gradients"), runs=frame)
    assert part(training) == pytest.approx([45.0, 35.0])
    everything = found(claim(**count, measure="all_gradients"), runs=frame)
    assert part(everything) == pytest.approx([25.0, 15.0])
    unknown = Evidence(runs=frame.drop(columns="training_gradients"))
    assert measure(claim(**count, measure="training_gradients"), unknown, SAME_MODEL) is None


def test_overhead_takes_the_most_expensive_setting() -> None:
    frame = runs(
        privacy=["eps1", "nonprivate"],
        training_gradients=[200.0, 100.0],
        scoring_gradients=[20.0, 70.0],
    )
    claimed = claim(
        **{"kind": "overhead", "source": "each", "measure": "scoring_gradients"},
        **{"reference": "", "unit": "count", "quantifier": "some"},
    )
    result = found(claimed, full=frame)
    assert result.ours.mean == 0.7 and result.where == ("d", "m", "nonprivate")
    assert [p.values.tolist() for p in result.parts] == [[0.1], [0.7]]
    assert scoring_gradients(1000, 5) == 7000


def test_bad_evidence() -> None:
    plain = statistics("x", "overlap", [1.0, 2.0])
    with pytest.raises(ValueError, match=r"statistics: missing column.s. chance"):
        Evidence(statistics=plain.drop(columns="chance"))
    with pytest.raises(ValueError, match="occurs twice: x, same seed, 0, 0, 0, 0, overlap"):
        Evidence(statistics=pd.concat([plain, plain]))
    with pytest.raises(ValueError, match=r"runs: test_accuracy must lie in \[0, 1\], got 56.6"):
        Evidence(runs=runs(test_accuracy=56.6))
    assert set(Evidence(runs=runs()).runs["fraction"]) == {0.25}
    assert math.isnan(Evidence(statistics=plain).statistics["chance_p"].iloc[0])


def test_actual_selects_its_runs() -> None:
    frame = runs(dataset=["d", "e", "f"], model=["m", "n", "m"])
    assert RunSetting().among(frame)["dataset"].tolist() == ["d", "e", "f"]
    assert RunSetting("d|e").among(frame)["dataset"].tolist() == ["d", "e"]
    assert RunSetting(model_a="m").among(frame)["dataset"].tolist() == ["d", "f"]
    assert RunSetting("e", "m", "n").among(frame)["dataset"].tolist() == ["e"]
