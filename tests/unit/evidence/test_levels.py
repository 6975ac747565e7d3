"""Agreement across privacy levels: planted effects, by hand, and coverage."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from gradval.evidence.levels import (
    ScoreTable,
    bootstrap_samples,
    levels_by_seed,
    summarise_levels,
    usable_sizes,
)
from gradval.evidence.statistics import p_above
from gradval.selection import select

LEVELS = ("nonprivate", "eps1")


def table(
    *,
    n: int = 600,
    classes: int = 3,
    seeds: int = 5,
    draws: int = 2,
    level: float = 0.0,
    weights: float = 1.0,
    noise: float = 1.0,
    seed: int = 0,
    privacy: tuple[str, ...] = LEVELS,
) -> ScoreTable:
    """Scores that are sums of what samples, levels, initial weights and draws contribute."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=n)
    of_seed = weights * rng.normal(size=(seeds, n))
    rows, values = [], []
    for name in privacy:
        of_level = level * rng.normal(size=n)
        for s, d in itertools.product(range(seeds), range(draws)):
            rows.append({"model": "m", "privacy": name, "seed": s, "draw": d, "score": "vog"})
            values.append(base + of_level + of_seed[s] + noise * rng.normal(size=n))
    labels = np.arange(n) % classes
    return ScoreTable("d", labels, pd.DataFrame(rows), np.array(values))


def by_quantity(by_seed: pd.DataFrame, statistic: str = "overlap", k: int = 25) -> pd.DataFrame:
    rows = by_seed[(by_seed["statistic"] == statistic) & (by_seed["k"] == k)]
    return rows.pivot_table(index="seed", columns="quantity", values="value")


def test_overlap_and_rank_correlation_by_hand() -> None:
    scores = table(n=90, seeds=1, draws=1)
    found = by_quantity(levels_by_seed(scores, sizes=[4]), k=4)
    common = 0
    for label in range(3):
        chosen = [
            set(select(scores.values[run], 4, candidates=scores.labels == label)) for run in (0, 1)
        ]
        common += len(chosen[0] & chosen[1])
    assert found["across"].tolist() == pytest.approx([common / 12])
    correlations = [
        scipy.stats.spearmanr(*scores.values[:, scores.labels == label]).statistic
        for label in range(3)
    ]
    spearman = by_quantity(levels_by_seed(scores), "spearman", 0)
    assert spearman["across"].tolist() == pytest.approx([np.mean(correlations)])
    assert "draw_ceiling" not in spearman and "seed_ceiling" not in spearman


def test_smallest_scores() -> None:
    scores = table(n=90, seeds=2)
    negated = ScoreTable("d", scores.labels, scores.runs, -scores.values)
    smallest = levels_by_seed(negated, sizes=[5], largest=False)
    pd.testing.assert_frame_equal(smallest, levels_by_seed(scores, sizes=[5]))


def test_pairs_are_those_of_seeds_and_draws() -> None:
    """Every quantity against a loop over all pairs of runs."""
    scores = table(seeds=3, draws=2, level=0.7)
    runs = scores.runs
    matrix = np.mean(
        [
            np.corrcoef(scipy.stats.rankdata(scores.values[:, scores.labels == c], axis=1))
            for c in range(3)
        ],
        axis=0,
    )
    pairs: dict[str, list[float]] = {}
    for (i, a), (j, b) in itertools.combinations(runs.iterrows(), 2):
        same_level, same_seed = a["privacy"] == b["privacy"], a["seed"] == b["seed"]
        name = {
            (True, True): "draw_ceiling",
            (True, False): "seed_ceiling",
            (False, True): "across",
            (False, False): "other_weights",
        }[same_level, same_seed]
        pairs.setdefault(name, []).append(matrix[i, j])
    found = by_quantity(levels_by_seed(scores), "spearman", 0).mean()
    for name, values in pairs.items():
        assert found[name] == pytest.approx(np.mean(values)), name
    assert found["effect"] == pytest.approx(found["draw_ceiling"] - found["across"])


def test_no_effect_of_privacy_is_found_where_weights_are_shared() -> None:
    """Weights matter a lot and levels not at all: the seed ceiling lies far below the agreement
    across levels, the draw ceiling does not."""
    found = summarise_levels(levels_by_seed(table(weights=1.5, seeds=6)))
    row = found[(found["statistic"] == "overlap") & (found["k"] == 25)].set_index("quantity")
    assert row.loc["across", "low"] > row.loc["seed_ceiling", "high"]
    assert row.loc["effect", "low"] < 0 < row.loc["effect", "high"]
    assert row.loc["across", "chance"] == pytest.approx(25 / 200)
    assert math.isnan(row.loc["across", "p"]) and row.loc["effect", "p"] > 0.05


def test_chance_holds_95_of_a_hundred_unrelated_runs() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [30, 60, 90])
    runs = [
        {"model": "m", "privacy": p, "seed": s, "draw": 0, "score": "vog"}
        for p in LEVELS
        for s in range(200)
    ]
    scores = ScoreTable("d", labels, pd.DataFrame(runs), rng.normal(size=(400, 180)))
    found = levels_by_seed(scores, sizes=[10])
    across = found[found["quantity"] == "across"]
    for (statistic, _), rows in across.groupby(["statistic", "k"]):
        mean, low, high = rows[["chance", "chance_low", "chance_high"]].iloc[0]
        assert rows["value"].mean() == pytest.approx(mean, abs=0.02), statistic
        assert 0.9 < rows["value"].between(low - 1e-9, high + 1e-9).mean() < 0.995, statistic
    # Selections so large that no overlap of all is ever drawn.
    assert levels_by_seed(scores, sizes=[30])["chance_high"].between(0, 1).all()


def test_planted_effect_is_found_with_draws_and_without() -> None:
    for draws, quantity in ((2, "effect"), (1, "effect_other_weights")):
        found = summarise_levels(levels_by_seed(table(level=1.0, draws=draws)))
        row = found[(found["quantity"] == quantity) & (found["statistic"] == "spearman")].iloc[0]
        assert row["low"] > 0 and row["p"] < 0.01 and row["n"] == 5
    assert not (found["quantity"] == "effect").any()


def test_jackknife_over_weights_has_the_right_size() -> None:
    """Without an effect at most one study in twenty finds one, pairs of seeds not being
    independent: a t-test over the ten pairs would find far more."""
    effects, wrong = [], []
    for study in range(120):
        scores = table(n=150, draws=1, seeds=5, seed=study, noise=0.5)
        rows = levels_by_seed(scores, sizes=[])
        values = rows.loc[rows["quantity"] == "seed_ceiling", "value"]
        effects.append(values.to_numpy())
        rows = rows[rows["quantity"] == "effect_other_weights"]["value"]
        wrong.append(min(p_above(rows), p_above(-rows)) <= 0.05)
    assert np.mean(wrong) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 120)
    # The spread that single studies report is that between studies.
    reported = np.mean([v.var(ddof=1) / 5 for v in effects])
    assert 0.3 < reported / np.var([v.mean() for v in effects]) < 3


def test_bootstrap_over_samples() -> None:
    scores = table(seeds=2, level=0.5)
    found = bootstrap_samples(scores, 20, replicates=60)
    again = bootstrap_samples(scores, 20, replicates=60)
    pd.testing.assert_frame_equal(found, again)
    row = found.set_index("quantity").loc["across"]
    # What other data sets of this kind really give.
    truth = [
        by_quantity(levels_by_seed(table(seeds=2, level=0.5, seed=s), sizes=[20]), k=20)["across"]
        for s in range(1, 31)
    ]
    assert row["sample_sd"] == pytest.approx(np.std([t.mean() for t in truth]), rel=0.5)
    assert row["sample_low"] < row["sample_high"]


def test_sizes_and_bad_tables() -> None:
    scores = table(n=90)
    assert usable_sizes(scores.labels) == [5, 10]
    with pytest.raises(ValueError, match="between 1 and 30"):
        levels_by_seed(scores, sizes=[31])
    with pytest.raises(ValueError, match="need that shape"):
        ScoreTable("d", scores.labels[:5], scores.runs, scores.values)
    twice = pd.concat([scores.runs, scores.runs])
    with pytest.raises(ValueError, match="m/nonprivate/0/0/vog occurs twice"):
        ScoreTable("d", scores.labels, twice, np.concatenate([scores.values] * 2))
    broken = scores.values.copy()
    broken[3, 0] = math.nan
    with pytest.raises(ValueError, match="m/nonprivate/1/1/vog is not finite"):
        ScoreTable("d", scores.labels, scores.runs, broken)
    without = ScoreTable("d", scores.labels, scores.runs[::2].drop(columns="draw"), broken[::2])
    assert set(without.runs["draw"]) == {0}
