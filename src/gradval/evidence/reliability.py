"""How far one run can be trusted with the score of one sample, and how many runs make it sure."""

import numpy as np
import pandas as pd
import scipy  # scipy.stats is loaded at its first use, which keeps our import fast
from numpy.typing import NDArray

from gradval.evidence.levels import ScoreTable
from gradval.evidence.over_seeds import SUMMARY, by_level, over_seeds
from gradval.evidence.statistics import jackknife_values, runs_for_reliability

RELIABILITY_KEY = ("dataset", "model", "privacy", "score", "scale")
SCALES = ("ranks", "raw")
TARGET = 0.9
Matrix = NDArray[np.float64]


def intraclass_correlation(ratings: NDArray) -> float:
    """Consistency of single ratings, ICC(C,1): Shrout and Fleiss's ICC(3,1), McGraw and Wong 1996.

    The share of the variance of single ratings that is the samples'. A rater (run) who rates all
    samples higher by the same amount does not lower it.

    Args:
        ratings: (N, R) of N samples by R raters.

    Returns:
        At most 1; NaN for fewer than two samples or raters, or ratings that are all the same.
    """
    samples, raters = ratings.shape
    if samples < 2 or raters < 2:
        return np.nan
    centred = ratings - ratings.mean()
    of_samples, of_raters = centred.mean(axis=1), centred.mean(axis=0)
    residuals = centred - of_samples[:, None] - of_raters
    between = raters * (of_samples**2).sum() / (samples - 1)
    within = (residuals**2).sum() / ((samples - 1) * (raters - 1))
    total = between + (raters - 1) * within
    return float((between - within) / total) if total > 0 else np.nan


def reliability_by_seed(table: ScoreTable) -> pd.DataFrame:
    """Intraclass correlation of every score over initial weights, mean over draws.

    Args:
        table: the scores of all runs.

    Returns:
        `RELIABILITY_KEY`, seed, value: jackknife pseudo-values over seeds, whose mean is the
        estimate; of two seeds the estimate and no spread; nothing for one. ``scale`` is raw, or
        ranks over all samples, which a few extreme scores do not decide.
    """
    rows = []
    for level, runs in by_level(table):
        for score, of_score in runs.groupby("score", sort=False):
            raw = table.values[of_score.index].astype(np.float64)
            ranks = np.asarray(scipy.stats.rankdata(raw, axis=1))
            for scale, values in zip(SCALES, (ranks, raw), strict=True):
                for seed, value in _pseudo_values(values, of_score).items():
                    rows.append((*level.values(), score, scale, seed, value))
    return pd.DataFrame(rows, columns=[*RELIABILITY_KEY, "seed", "value"]).dropna()


def summarise_reliability(by_seed: pd.DataFrame) -> pd.DataFrame:
    """The reliability of every score, and the runs whose mean has a reliability of `TARGET`.

    Args:
        by_seed: as returned by `reliability_by_seed`.

    Returns:
        `RELIABILITY_KEY`, `SUMMARY`, and runs_needed with its interval (runs_low, runs_high), by
        Spearman and Brown, rounded up; infinite where the score does not repeat at all.
    """
    found = over_seeds(by_seed, RELIABILITY_KEY)
    # The less reliable, the more runs.
    ends = {"runs_needed": "value", "runs_low": "high", "runs_high": "low"}
    for name, column in ends.items():
        found[name] = [_runs_needed(value) for value in found[column]]
    return found[[*RELIABILITY_KEY, *SUMMARY, *ends]]


def _runs_needed(reliability: float) -> float:
    if np.isnan(reliability):
        return np.nan
    return float(np.ceil(runs_for_reliability(min(reliability, 1.0), TARGET) - 1e-9))


def _pseudo_values(values: Matrix, runs: pd.DataFrame) -> dict[int, float]:
    seeds: list[int] = sorted(runs["seed"].unique())

    def estimate(kept: list[int]) -> float:
        of_draws = [
            intraclass_correlation(values[(of_draw & runs["seed"].isin(kept)).to_numpy()].T)
            for of_draw in (runs["draw"] == draw for draw in runs["draw"].unique())
        ]
        return float(np.mean(of_draws))

    if len(seeds) < 3:
        return {seeds[0]: estimate(seeds)}
    left_out = {seed: estimate([s for s in seeds if s != seed]) for seed in seeds}
    found = jackknife_values(estimate(seeds), pd.Series(left_out))
    return dict(zip(seeds, found, strict=True))
