"""Whether scores find what was planted: wrong labels among the highest, duplicates the lowest."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradval.evidence.levels import ScoreTable
from gradval.evidence.over_seeds import by_level
from gradval.selection import select

PLANTED_KEY = ("dataset", "model", "privacy", "score", "kind", "end", "statistic")
# At which end each kind is looked for, said before anything was run: what contradicts all others
# is hard, what comes twice is learnt twice.
ENDS = {"wrong_labels": "largest", "duplicates": "smallest"}


def planted_found(table: ScoreTable, planted: Mapping[str, NDArray]) -> pd.DataFrame:
    """How well every score tells planted samples from all others.

    Args:
        table: the scores of all runs.
        planted: kind (of `ENDS`) -> positions of the planted samples, at least one.

    Returns:
        `PLANTED_KEY`, seed, chance, value: ``auroc``, the probability that a planted sample lies
        further towards the end than another one (1/2 by chance), and ``precision``, the share of
        planted samples among as many at that end as were planted. One row a run.
    """
    from sklearn.metrics import roc_auc_score  # slow to import

    count = len(table.labels)
    rows = []
    for level, runs in by_level(table):
        for values, run in zip(table.values[runs.index], runs.itertuples(), strict=True):
            scores = values.astype(np.float64)
            for kind, positions in planted.items():
                is_planted = np.zeros(count, dtype=bool)
                is_planted[positions] = True
                largest = ENDS[kind] == "largest"
                auroc = roc_auc_score(is_planted, scores if largest else -scores)
                chosen = select(scores, len(positions), largest)
                key = (*level.values(), run.score, kind, ENDS[kind])
                share = len(positions) / count
                rows.append((*key, "auroc", run.seed, 0.5, float(auroc)))
                rows.append((*key, "precision", run.seed, share, float(is_planted[chosen].mean())))
    return pd.DataFrame(rows, columns=[*PLANTED_KEY, "seed", "chance", "value"])
