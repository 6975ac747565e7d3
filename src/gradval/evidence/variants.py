"""Variants of a score: how far each agrees with the usual one, and with itself in another run.

A variant is an own choice of definition (`gradval.scores.variants`) or of scale. If it agrees with
the usual one as well as two runs of the usual one agree with each other, the choice does not matter
beside the noise. Which is better is a second question: the more repeatable one is easier to use.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import scipy  # scipy.stats is loaded at its first use, which keeps our import fast
from numpy.typing import NDArray

from gradval.evidence.levels import ScoreTable
from gradval.evidence.over_seeds import between_runs, by_level, correlate, spearman_within
from gradval.scores.class_normalisation import normalise_per_class
from gradval.scores.variants import Variant
from gradval.selection import select

VARIANTS_KEY = (
    *("dataset", "model", "privacy", "score", "family", "variant"),
    *("statistic", "quantity"),
)
QUANTITIES = ("with the usual one", "between seeds")
SCALES = ("minmax", "raw", "zscore")
SCALE = "scale"
K = 25  # samples a class that are selected, as many in all where selections are over all classes
Matrix = NDArray[np.float64]
Agreement = Callable[[Matrix], Matrix]


def variant_agreement(table: ScoreTable, variants: Sequence[Variant]) -> pd.DataFrame:
    """Agreement of variants of scores, within classes.

    Args:
        table: whose column score holds the names of variants.
        variants: their description; those that the table lacks are left out.

    Returns:
        `VARIANTS_KEY`, seed, value. ``statistic`` is ``spearman`` (within classes, mean over them)
        or ``overlap`` (share of the `K` largest of every class, fewer if a class is small);
        ``quantity`` one of `QUANTITIES`: with the usual variant of the same run, or with itself
        under other initial weights (pseudo-values).
    """
    statistics = {
        "spearman": lambda values: spearman_within(values, table.labels),
        "overlap": lambda values: overlap_within(values, table.labels, K),
    }
    parts = []
    for level, runs in by_level(table):
        stacks = {name: table.values[of.index] for name, of in runs.groupby("score", sort=False)}
        for variant in variants:
            if variant.name not in stacks or variant.usual not in stacks:
                continue
            mine, usual = (
                stacks[name].astype(np.float64) for name in (variant.name, variant.usual)
            )
            of_variant = runs[runs["score"] == variant.name]
            found = _agreement(mine, usual, of_variant, statistics)
            key = {"score": variant.score, "family": variant.family, "variant": variant.label}
            parts.append(found.assign(**level, **key))
    columns = [*VARIANTS_KEY, "seed", "value"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def scale_agreement(table: ScoreTable) -> pd.DataFrame:
    """Agreement of raw and class-normalised scores over all classes; the usual one is min-max.

    Args:
        table: the raw scores of all runs.

    Returns:
        As `variant_agreement`, with the family `SCALE`; of ``overlap`` the selections are the
        `K` times number of classes largest of all samples. ``largest class`` is the share of the
        most frequent class in such a selection, under the quantity ``in one run``.
    """
    labels = table.labels
    size = min(K * len(np.unique(labels)), len(labels) // 2)
    statistics: dict[str, Agreement] = {
        "spearman": lambda values: correlate(np.asarray(scipy.stats.rankdata(values, axis=1))),
        "overlap": lambda values: _common(_chosen(values, size)) / size,
    }
    parts = []
    for level, runs in by_level(table):
        for score, of_score in runs.groupby("score", sort=False):
            raw = table.values[of_score.index].astype(np.float64)
            scaled = {name: _scaled(raw, labels, name) for name in SCALES}
            for name, mine in scaled.items():
                found = _agreement(mine, scaled["minmax"], of_score, statistics)
                counts = [np.bincount(labels[row]).max() / size for row in _chosen(mine, size)]
                share = pd.DataFrame({"seed": of_score["seed"].to_numpy(), "value": counts})
                share = share.assign(statistic="largest class", quantity="in one run")
                both = pd.concat([found, share], ignore_index=True)
                parts.append(both.assign(**level, score=score, family=SCALE, variant=name))
    return pd.concat(parts, ignore_index=True)[[*VARIANTS_KEY, "seed", "value"]]


def overlap_within(values: Matrix, labels: NDArray, k: int) -> Matrix:
    """(R, R) share of the k largest of every class that (R, N) scores have in common.

    Of a class with fewer than 2k samples half are selected.
    """
    common, total = np.zeros((len(values), len(values))), 0
    for label in np.unique(labels):
        inside = values[:, labels == label]
        size = max(1, min(k, inside.shape[1] // 2))
        common += _common(_chosen(inside, size))
        total += size
    return common / total


def _chosen(values: Matrix, k: int) -> NDArray[np.bool_]:
    """(R, N) whether a sample is among the k largest; ties go by index."""
    chosen = np.zeros(values.shape, dtype=bool)
    for row, scores in zip(chosen, values, strict=True):
        row[select(scores, k)] = True
    return chosen


def _common(chosen: NDArray[np.bool_]) -> Matrix:
    """(R, R) numbers of common samples."""
    as_numbers = chosen.astype(np.float32)  # exact below 2^24
    return np.asarray(as_numbers @ as_numbers.T, dtype=np.float64)


def _scaled(raw: Matrix, labels: NDArray, scale: str) -> Matrix:
    if scale == "raw":
        return raw
    return np.stack([normalise_per_class(row, labels, scale) for row in raw])


def _agreement(
    mine: Matrix, usual: Matrix, runs: pd.DataFrame, statistics: dict[str, Agreement]
) -> pd.DataFrame:
    """Rows statistic, quantity, seed, value of a variant of R runs."""
    parts = []
    for statistic, agreement in statistics.items():
        pairs = [agreement(np.stack(pair))[0, 1] for pair in zip(mine, usual, strict=True)]
        together = pd.DataFrame({"seed": runs["seed"].to_numpy(), "value": pairs})
        parts.append(together.assign(statistic=statistic, quantity=QUANTITIES[0]))
        apart = between_runs(mine, runs, agreement)
        parts.append(apart.assign(statistic=statistic, quantity=QUANTITIES[1]))
    return pd.concat(parts, ignore_index=True)
