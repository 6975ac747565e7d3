"""What scores see beyond brightness, contrast, edges and class: a regression on these."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import scipy  # scipy.stats is loaded at its first use, which keeps our import fast
from numpy.typing import NDArray

from gradval.evidence.levels import ScoreTable
from gradval.evidence.over_seeds import between_runs, by_level, correlate

EXPLAINED_KEY = ("dataset", "model", "privacy", "score", "quantity")
# What is in the regression, and what is not noise at all.
SHARES = ("class", "image", "class and image", "repeatable")
Matrix = NDArray[np.float64]


def explained_shares(table: ScoreTable, statistics: Mapping[str, NDArray]) -> pd.DataFrame:
    """Shares of the variance of a score's ranks, and the slopes of its regression.

    Ranks of the scores are regressed (ordinary least squares) on the class, on the image (the ranks
    of its statistics and their squares, so that both extremes may count alike), and on both.

    Args:
        table: the scores of all runs.
        statistics: name -> (N,) statistic of the training images.

    Returns:
        `EXPLAINED_KEY`, seed, value. ``quantity`` is one of `SHARES`: the adjusted share of
        variance explained within a run, in [0, 1] but for noise, or what is ``repeatable``: the
        correlation of ranks under other initial weights, a pseudo-value a seed, which may be less.
        Or it is ``slope of <statistic>``: by how many standard deviations the rank rises with one
        of the statistic's, all others and the class being the same.
    """
    designs = _designs(table.labels, statistics)
    parts = []
    for level, runs in by_level(table):
        for score, of_score in runs.groupby("score", sort=False):
            ranks = np.stack([_standardised(table.values[index]) for index in of_score.index])
            found = [between_runs(ranks, of_score, correlate).assign(quantity="repeatable")]
            for seed, values in zip(of_score["seed"], ranks, strict=True):
                quantities = _regressions(values, designs, list(statistics))
                rows = pd.DataFrame(list(quantities.items()), columns=["quantity", "value"])
                found.append(rows.assign(seed=seed))
            parts += [part.assign(**level, score=score) for part in found]
    return pd.concat(parts, ignore_index=True)[[*EXPLAINED_KEY, "seed", "value"]]


def _designs(labels: NDArray, statistics: Mapping[str, NDArray]) -> dict[str, Matrix]:
    """The columns of each regression, an intercept among them."""
    of_class = (labels[:, None] == np.unique(labels)).astype(float)
    linear = np.stack([_standardised(values) for values in statistics.values()], axis=1)
    image = np.hstack([linear, linear**2])
    constant = np.ones((len(labels), 1))
    return {
        "class": of_class,
        "image": np.hstack([image, constant]),
        "class and image": np.hstack([image, of_class]),
    }


def _regressions(
    ranks: Matrix, designs: Mapping[str, Matrix], names: list[str]
) -> dict[str, float]:
    from statsmodels.api import OLS  # slow to import

    if np.ptp(ranks) == 0:
        return dict.fromkeys((*SHARES[:3], *(f"slope of {name}" for name in names)), np.nan)
    fits = {terms: OLS(ranks, design, hasconst=True).fit() for terms, design in designs.items()}
    slopes = fits["class and image"].params
    return {terms: float(fit.rsquared_adj) for terms, fit in fits.items()} | {
        f"slope of {name}": float(slope) for name, slope in zip(names, slopes, strict=False)
    }


def _standardised(values: NDArray) -> Matrix:
    """Ranks with mean 0 and standard deviation 1; zeros if all values are the same."""
    ranks = np.asarray(scipy.stats.rankdata(values), dtype=np.float64)
    spread = ranks.std()
    return (ranks - ranks.mean()) / spread if spread > 0 else ranks * 0
