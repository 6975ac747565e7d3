"""How alike all scores are: one correlation matrix a privacy level."""

import numpy as np
import pandas as pd

from gradval.evidence.levels import ScoreTable
from gradval.evidence.over_seeds import between_runs, by_level, spearman_within

CORRELATION_KEY = ("dataset", "model", "privacy", "score_a", "score_b")


def score_correlations(table: ScoreTable) -> pd.DataFrame:
    """Rank correlation within classes of every two scores of one run, mean over classes.

    On the diagonal stands a score with itself under other initial weights: what noise lets one
    expect. Two scores of one run share its noise, and may agree better than that.

    Args:
        table: all scores of all runs.

    Returns:
        `CORRELATION_KEY`, seed, value: one row a pair (both ways) and run, and a pseudo-value a
        seed on the diagonal, which one seed leaves out.
    """
    parts = []
    for level, runs in by_level(table):
        for (seed, _), of_run in runs.groupby(["seed", "draw"], sort=False):
            names = of_run["score"].to_numpy()
            matrix = spearman_within(table.values[of_run.index].astype(float), table.labels)
            a, b = np.nonzero(~np.eye(len(names), dtype=bool))
            pairs = {"score_a": names[a], "score_b": names[b], "value": matrix[a, b]}
            parts.append(pd.DataFrame({**level, **pairs, "seed": seed}, index=range(len(a))))
        for score, of_score in runs.groupby("score", sort=False):
            found = between_runs(
                table.values[of_score.index].astype(float),
                of_score,
                lambda values: spearman_within(values, table.labels),
            )
            parts.append(found.assign(**level, score_a=score, score_b=score))
    return pd.concat(parts, ignore_index=True)[[*CORRELATION_KEY, "seed", "value"]]
