"""Tables with one value a run or seed, and their means over initial weights."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
import scipy  # scipy.stats is loaded at its first use, which keeps our import fast
from numpy.typing import NDArray

from gradval.evidence.levels import ScoreTable, between_seeds
from gradval.evidence.statistics import clustered

SUMMARY = ("value", "low", "high", "n")
Matrix = NDArray[np.float64]


def over_seeds(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Mean of a value over initial weights, every one of which counts once, with its interval.

    Args:
        table: columns `keys`, seed and value; NaN is left out.
        keys: what is told apart.

    Returns:
        `keys` and `SUMMARY`: mean, 95% interval (Student's t over seeds) and number of seeds.
    """
    rows = []
    for key, part in table.groupby(list(keys), sort=False, dropna=False):
        found = clustered(part, "value")
        rows.append((*key, found.mean, found.low, found.high, found.n))
    return pd.DataFrame(rows, columns=[*keys, *SUMMARY])


def per_seed(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """One value a seed, the mean over its draws, which share its initial weights.

    Args:
        table, keys: as in `over_seeds`.
    """
    return table.groupby([*keys, "seed"], sort=False, dropna=False)["value"].mean().reset_index()


def by_level(table: ScoreTable) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """Every model and privacy level: data set, model and privacy, and its rows of `table.runs`."""
    for (model, privacy), runs in table.runs.groupby(["model", "privacy"], sort=False):
        yield {"dataset": table.dataset, "model": str(model), "privacy": str(privacy)}, runs


def between_runs(
    values: Matrix, runs: pd.DataFrame, agreement: Callable[[Matrix], Matrix]
) -> pd.DataFrame:
    """How well the runs of one setting agree under other initial weights.

    Args:
        values: (R, N) of every run.
        runs: (R,) rows with the columns seed and draw.
        agreement: (R, N) -> (R, R) of every pair.

    Returns:
        Columns seed and value: pseudo-values (`between_seeds`) of the mean over draws; empty for
        one seed.
    """
    seeds = sorted(runs["seed"].unique())
    member = (runs["seed"].to_numpy()[:, None] == seeds).astype(float)
    member /= member.sum(axis=0)
    found = between_seeds(member.T @ agreement(values) @ member)
    return pd.DataFrame({"seed": seeds, "value": found}).dropna()


def ranks_within(values: Matrix, labels: NDArray) -> list[Matrix]:
    """Ranks (R, n) within every class of (R, N) scores, equal scores at their mean rank."""
    return [
        np.asarray(scipy.stats.rankdata(values[:, labels == label], axis=1))
        for label in np.unique(labels)
    ]


def spearman_within(values: Matrix, labels: NDArray) -> Matrix:
    """(R, R) rank correlation within classes, mean over classes, of (R, N) scores.

    NaN where a score is the same for all samples of every class.
    """
    correlations = np.stack([correlate(ranks) for ranks in ranks_within(values, labels)])
    known = np.isfinite(correlations)
    total = np.where(known, correlations, 0.0).sum(axis=0)
    with np.errstate(invalid="ignore"):  # 0 / 0: no class has a correlation
        return np.asarray(total / known.sum(axis=0))


def correlate(values: Matrix) -> Matrix:
    """(R, R) Pearson correlation of (R, N) values, NaN where one is constant."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.corrcoef(values)).reshape(len(values), len(values))
