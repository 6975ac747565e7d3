"""How well the scores that training collects on its way agree with those at checkpoints."""

from collections.abc import Mapping
from itertools import combinations

import pandas as pd

from gradval.selection.correlation import spearman
from gradval.selection.select import overlap, select
from gradval.study.names import FREE_SCORES

# Seed and draw -> a table of samples.
ByRun = Mapping[tuple[int, int], pd.DataFrame]


def free_score_agreement(free: ByRun, exact: ByRun, *, k: int) -> pd.DataFrame:
    """Compare the free with the exact scores of every run of a setting, over all classes.

    As a measure of what the agreement is worth, the exact scores of each pair of runs of different
    seeds are compared in the same way.

    Args:
        free: seed and draw -> rows of `free_scores.parquet`: id, and a column for each score that was
            collected, NaN for samples with too few visits.
        exact: seed and draw -> id, and a column a score, of the same samples in the same order; what is
            not there is not compared.
        k: size of the selections of the largest scores, at most the number of samples.

    Returns:
        One row a score and run or pair of runs: `compared`, "free" or "another seed"; `seed`
        and `draw`, the first of a pair; `score`; `samples`, how many have both; `spearman` correlation over these;
        `overlap`, how many of the k largest both select, samples without a free score last;
        `chance`, the overlap expected of two random selections, k^2 / N.

    Raises:
        ValueError: the tables are not of the same samples.
    """
    tables = [*free.values(), *exact.values()]
    collected = [score for score in FREE_SCORES if all(score in table for table in tables)]
    pairs = [("free", run, free[run], exact[run]) for run in free]
    pairs += [
        ("another seed", a, exact[b], exact[a]) for a, b in combinations(exact, 2) if a[0] != b[0]
    ]
    return pd.DataFrame(
        {"compared": name, "seed": seed, "draw": draw, "score": score}
        | _agreement(one, other, score, k)
        for name, (seed, draw), one, other in pairs
        for score in collected
    )


def _agreement(free: pd.DataFrame, exact: pd.DataFrame, score: str, k: int) -> dict[str, float]:
    if not free["id"].equals(exact["id"]):
        raise ValueError("free and exact scores are not of the same samples")
    known = free[score].notna()
    # No score is below zero, so that samples without one come last.
    tops = [select(values, k) for values in (free[score].fillna(-1.0), exact[score])]
    return {
        "samples": int(known.sum()),
        "spearman": spearman(free.loc[known, score], exact.loc[known, score]),
        "overlap": overlap(*tops),
        "chance": k**2 / len(free),
    }
