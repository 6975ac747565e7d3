"""How well the scores of one data set agree across privacy levels, draws and initial weights.

A run has a privacy level, initial weights (its *seed*) and a *draw* of sampling and noise. Two runs
that differ in their level alone cannot be had: the noise differs with it. So what a level changes
is told by comparing like with like:

- ``across``: same initial weights, another level (and so another draw);
- ``draw_ceiling``: same initial weights, same level, another draw: the best to be expected of it;
- ``other_weights``: other initial weights, another level;
- ``seed_ceiling``: other initial weights, same level: the best to be expected of that;
- ``chance``: selections that have nothing to do with each other.

The effect of privacy is draw_ceiling - across; seed_ceiling - other_weights says the same without
a second draw, and is what is left where there is none. Agreement is the share of the k largest
scores of every class that are common, which runs over all classes and is not touched by how
classes are scaled, and the rank correlation within classes.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # scipy.stats is loaded at its first use, which keeps our import fast
from numpy.typing import NDArray

from gradval.evidence.intervals import summarise
from gradval.evidence.statistics import jackknife_values, p_above, p_below
from gradval.selection.overlaps import chance_interval, overlap_distribution

RUN_KEY = ("model", "privacy", "seed", "draw", "score")
CEILINGS = ("draw_ceiling", "seed_ceiling")
EFFECT, EFFECT_OTHER = "effect", "effect_other_weights"
QUANTITIES = ("across", "draw_ceiling", EFFECT, "other_weights", "seed_ceiling", EFFECT_OTHER)
# Of a statistic by chance: its mean, and between what 95% of cases lie.
CHANCE = ("chance", "chance_low", "chance_high")
NORMAL_95 = 1.959964
SIZES = (5, 10, 25, 50, 100, 250)
STATISTICS = ("overlap", "spearman")
# What identifies a row of `levels_by_seed`, without the seed.
LEVELS_KEY = (
    *("dataset", "model", "score", "statistic", "k"),
    *("privacy_a", "privacy_b", "quantity"),
)

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class ScoreTable:
    """The scores of many runs on the training samples of one data set.

    Attributes:
        dataset: its name.
        labels: (N,) class of each sample, integers from 0.
        runs: one row a vector of scores; columns model, privacy, seed, draw, score. A missing
            column draw becomes 0.
        values: (len(runs), N) finite scores, raw.

    Raises:
        ValueError: shapes differ, a row occurs twice, or a score is not finite.
    """

    dataset: str
    labels: NDArray
    runs: pd.DataFrame
    values: NDArray

    def __post_init__(self) -> None:
        runs = self.runs.reset_index(drop=True)
        if "draw" not in runs:
            runs = runs.assign(draw=0)
        object.__setattr__(self, "runs", runs[list(RUN_KEY)])
        if self.values.shape != (len(runs), len(self.labels)):
            raise ValueError(
                f"scores of {self.dataset}: {len(runs)} runs of {len(self.labels)} samples "
                f"need that shape, got {self.values.shape}"
            )
        if self.runs.duplicated().any():
            twice = self.runs[self.runs.duplicated()].iloc[0]
            raise ValueError(f"scores of {self.dataset}: {'/'.join(map(str, twice))} occurs twice")
        finite = np.isfinite(self.values).all(axis=1)
        if not finite.all():
            row = self.runs[~finite].iloc[0]
            raise ValueError(f"scores of {self.dataset}: {'/'.join(map(str, row))} is not finite")


def usable_sizes(labels: NDArray, sizes: Sequence[int] = SIZES) -> list[int]:
    """Those sizes of selections a class that leave at least half of the smallest class."""
    smallest = np.bincount(labels)[np.unique(labels)].min()
    return [k for k in sizes if 2 * k <= smallest]


def levels_by_seed(
    table: ScoreTable, sizes: Sequence[int] | None = None, largest: bool = True
) -> pd.DataFrame:
    """Agreement for every model, score and pair of privacy levels, one value a seed.

    Args:
        table: the scores; seeds and draws are those of `table.runs`.
        sizes: k, the number of samples selected in each class; `usable_sizes` if None.
        largest: whether the largest or the smallest scores are selected.

    Returns:
        Long table, `LEVELS_KEY`, seed, value, and `CHANCE`: what two runs of unrelated scores have
        in common. ``statistic`` is ``overlap`` (share in [0, 1] of k a class) or ``spearman``
        (k = 0). Values of quantities between different seeds are jackknife pseudo-values, so of
        every quantity the mean over seeds is the estimate and their spread its error. What the
        runs do not determine (no second draw) is left out.

    Raises:
        ValueError: a size exceeds the smallest class.
    """
    sizes = usable_sizes(table.labels) if sizes is None else list(sizes)
    smallest = int(np.bincount(table.labels)[np.unique(table.labels)].min())
    if any(not 0 < k <= smallest for k in sizes):
        raise ValueError(f"sizes must lie between 1 and {smallest}, the smallest class: {sizes}")
    levels_by_chance = _chance(np.unique(table.labels, return_counts=True)[1], sizes)
    parts = []
    for (model, score), runs in table.runs.groupby(["model", "score"], sort=False):
        values = np.asarray(table.values[runs.index], dtype=np.float64)
        for statistic, k, matrix in _agreements(values, table.labels, sizes, largest):
            key: dict[str, str | float] = {
                "dataset": table.dataset,
                "model": str(model),
                "score": str(score),
            }
            key |= {"statistic": statistic, "k": k, **levels_by_chance[statistic, k]}
            parts.append(constant_columns(_levels_of(matrix, runs), key))
    columns = [*LEVELS_KEY, "seed", "value", *CHANCE]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def summarise_levels(by_seed: pd.DataFrame) -> pd.DataFrame:
    """Every quantity with its 95% interval over initial weights.

    Args:
        by_seed: as returned by `levels_by_seed`.

    Returns:
        `LEVELS_KEY`, value, low, high (Student's t over seeds), n (seeds), `CHANCE`, and p: the
        two-sided p-value of the effects against zero, NaN for other quantities.
    """
    rows = []
    for key, part in by_seed.groupby(list(LEVELS_KEY), sort=False):
        found = summarise(part["value"])
        row = dict(zip(LEVELS_KEY, key, strict=True))
        row |= {"value": found.mean, "low": found.low, "high": found.high, "n": found.n}
        is_effect = row["quantity"] in (EFFECT, EFFECT_OTHER)
        p = min(p_above(part["value"]), p_below(part["value"])) if is_effect else np.nan
        rows.append({**row, **part[list(CHANCE)].iloc[0], "p": p})
    return pd.DataFrame(rows, columns=[*LEVELS_KEY, "value", "low", "high", "n", *CHANCE, "p"])


def bootstrap_samples(
    table: ScoreTable, k: int, *, replicates: int = 200, seed: int = 0, largest: bool = True
) -> pd.DataFrame:
    """How much every quantity depends on which samples the data set happens to hold.

    Samples are drawn anew with replacement within each class, the same for all runs; a sample that
    is drawn twice counts twice among the k largest. This error comes on top of that over seeds.

    Args:
        table: the scores.
        k: samples selected in each class.
        replicates: number of bootstrap data sets.
        seed: of the draws; the same seed gives the same intervals.
        largest: as in `levels_by_seed`.

    Returns:
        `LEVELS_KEY`, sample_sd, and sample_low and sample_high (2.5 and 97.5 percentiles).
    """
    rng = np.random.default_rng(seed)
    weights = np.stack([_resample(table.labels, rng) for _ in range(replicates)])
    rows = []
    for (model, score), runs in table.runs.groupby(["model", "score"], sort=False):
        order, ranks = _order_within_classes(table.values[runs.index], table.labels, largest)
        drawn = [
            _pairs_of_levels(_weighted_overlap(order, ranks, table.labels, weight, k), runs)
            for weight in weights
        ]
        for key in drawn[0]:
            known = np.isfinite(drawn[0][key])  # the same in all
            if known.any():
                values = np.array([replicate[key][known].mean() for replicate in drawn])
                low, high = np.quantile(values, (0.025, 0.975))
                names = (table.dataset, model, score, "overlap", k, *key)
                rows.append((*names, values.std(ddof=1), low, high))
    return pd.DataFrame(rows, columns=[*LEVELS_KEY, "sample_sd", "sample_low", "sample_high"])


def constant_columns(frame: pd.DataFrame, values: Mapping[str, str | float]) -> pd.DataFrame:
    """The frame with further columns, each of one value."""
    frame = frame.copy()
    for name, value in values.items():
        frame[name] = value
    return frame


def _agreements(
    values: Matrix, labels: NDArray, sizes: Sequence[int], largest: bool
) -> Iterator[tuple[str, int, Matrix]]:
    """Name, k and (R, R) agreement of all pairs of R vectors of scores."""
    _, ranks = _order_within_classes(values, labels, largest)
    classes = len(np.unique(labels))
    for k in sizes:
        chosen = (ranks < k).astype(np.float32)  # exact: sums stay below 2^24
        yield "overlap", k, chosen @ chosen.T / (k * classes)
    correlations = [
        np.corrcoef(scipy.stats.rankdata(values[:, labels == label], axis=1))
        for label in np.unique(labels)
    ]
    yield "spearman", 0, np.nanmean(correlations, axis=0).reshape(len(values), -1)


def _chance(
    counts: NDArray[np.int64], sizes: Sequence[int]
) -> dict[tuple[str, int], dict[str, float]]:
    """Statistic and k -> `CHANCE` of two unrelated scores, for classes of these sizes.

    Exact for overlaps. A Spearman correlation of n samples has the variance 1 / (n - 1) by chance;
    its mean over classes is taken to be normal.
    """
    levels = {}
    for k in sizes:
        chosen = np.full(len(counts), k)
        low, high = chance_interval(overlap_distribution(chosen, chosen, counts))
        values = (float((k / counts).mean()), low / chosen.sum(), high / chosen.sum())
        levels["overlap", k] = dict(zip(CHANCE, map(float, values), strict=True))
    several = counts[counts > 1]
    half = NORMAL_95 * float(np.sqrt((1 / (several - 1)).sum())) / len(several)
    levels["spearman", 0] = dict(zip(CHANCE, (0.0, -half, half), strict=True))
    return levels


def _levels_of(matrix: Matrix, runs: pd.DataFrame) -> pd.DataFrame:
    """Rows privacy_a, privacy_b, quantity, seed, value of one model and score."""
    seeds = sorted(runs["seed"].unique())
    rows = [
        (*key, seed, value)
        for key, values in _pairs_of_levels(matrix, runs).items()
        for seed, value in zip(seeds, values, strict=True)
        if np.isfinite(value)
    ]
    return pd.DataFrame(rows, columns=[*LEVELS_KEY[5:], "seed", "value"])


def _pairs_of_levels(matrix: Matrix, runs: pd.DataFrame) -> dict[tuple[str, str, str], Matrix]:
    """(privacy_a, privacy_b, quantity) -> one value a seed, NaN where undetermined."""
    levels = list(dict.fromkeys(runs["privacy"]))
    means = _mean_over_draws(matrix, runs, levels, sorted(runs["seed"].unique()))
    return {
        (levels[i], levels[j], quantity): values
        for i, j in itertools.combinations(range(len(levels)), 2)
        for quantity, values in _quantities(means, i, j).items()
    }


def _mean_over_draws(
    matrix: Matrix, runs: pd.DataFrame, levels: list[str], seeds: list[int]
) -> NDArray[np.float64]:
    """(P, S, P, S) mean agreement between the runs of two levels and seeds, none with itself."""
    group = runs["privacy"].map(levels.index).to_numpy() * len(seeds)
    group = group + runs["seed"].map(seeds.index).to_numpy()
    member = np.zeros((len(runs), len(levels) * len(seeds)))
    member[np.arange(len(runs)), group] = 1
    others = 1 - np.eye(len(runs))
    with np.errstate(invalid="ignore"):  # 0 / 0: there is no such pair
        means = (member.T @ (matrix * others) @ member) / (member.T @ others @ member)
    return np.asarray(means.reshape(len(levels), len(seeds), len(levels), len(seeds)))


def _quantities(means: Matrix, i: int, j: int) -> dict[str, Matrix]:
    """Every quantity for levels i and j, one value a seed."""
    same = np.arange(means.shape[1])
    across = means[i, same, j, same]
    draw_ceiling = (means[i, same, i, same] + means[j, same, j, same]) / 2
    other = between_seeds((means[i, :, j] + means[i, :, j].T) / 2)
    seed_ceiling = between_seeds((means[i, :, i] + means[j, :, j]) / 2)
    return {
        "across": across,
        "draw_ceiling": draw_ceiling,
        EFFECT: draw_ceiling - across,
        "other_weights": other,
        "seed_ceiling": seed_ceiling,
        EFFECT_OTHER: seed_ceiling - other,
    }


def between_seeds(block: Matrix) -> Matrix:
    """Pseudo-values over seeds of the mean over all pairs of different seeds.

    Args:
        block: (S, S) symmetric, a statistic of every pair of seeds; the diagonal is not used.

    Returns:
        (S,) values whose mean is that mean and whose spread is its error (`jackknife_values`); of
        two seeds the mean and NaN, of one NaN.
    """
    n = len(block)
    if n < 2:
        return np.full(n, np.nan)
    others = np.where(np.eye(n, dtype=bool), 0.0, block)  # a run with itself: there is no pair
    total = others.sum()
    full = total / (n * (n - 1))
    if n == 2:  # the estimate, which two seeds have, without the error, which they do not
        return np.array([full, np.nan])
    left_out = (total - others.sum(axis=0) - others.sum(axis=1)) / ((n - 1) * (n - 2))
    return jackknife_values(full, left_out).to_numpy()


def _order_within_classes(
    values: NDArray, labels: NDArray, largest: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Samples by class and then score, the first to be selected first; and their rank in it.

    Returns:
        Two (R, N) arrays: row r of the first lists samples, row r of the second gives each
        sample's rank from 0 in its own class. Equal scores stand in the order of their indices.
    """
    keys = -values if largest else values
    order = np.stack([np.lexsort((row, labels)) for row in keys])
    counts = np.bincount(labels)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    position = np.arange(len(labels)) - np.repeat(starts, counts)
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.broadcast_to(position, order.shape), axis=1)
    return order, ranks


def _resample(labels: NDArray, rng: np.random.Generator) -> NDArray[np.int64]:
    """How often each sample is drawn when each class is drawn anew from itself."""
    weight = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        weight[members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)))
    return weight


def _weighted_overlap(
    order: NDArray, ranks: NDArray, labels: NDArray, weight: NDArray, k: int
) -> Matrix:
    """(R, R) overlap of the k largest of each class, samples counting as often as drawn."""
    sorted_weight = weight[order]
    before = np.cumsum(sorted_weight, axis=1) - sorted_weight
    counts = np.bincount(labels)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])  # resampling keeps the class sizes
    inside = before - np.repeat(starts, counts) < k
    position = ranks + starts[labels]
    chosen = np.take_along_axis(inside, position, axis=1).astype(np.float32)
    common = (chosen * weight.astype(np.float32)) @ chosen.T
    size = np.sqrt(np.diagonal(common))
    return np.asarray(common / np.outer(size, size), dtype=np.float64)
