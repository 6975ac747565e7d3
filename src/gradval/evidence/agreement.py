"""The rows of comparisons by seed, and their agreement set against its ceiling like with like."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradval.evidence.results import Evidence
from gradval.evidence.statistics import disattenuated, jackknife_values

# across, ceiling of side a, ceiling of side b, chance -> the quantity
OfLevels = Callable[[float, float, float, float], float]

SAME, OTHER_DRAW, OTHER_SEED = "same seed", "other draw", "other seed"
DRAW_CEILINGS = ("draw ceiling a", "draw ceiling b")
SEED_CEILINGS = ("ceiling a", "ceiling b")


def rows_of(evidence: Evidence, comparison: str, statistic: str, *pairings: str) -> pd.DataFrame:
    """Rows of some pairings of a comparison and statistic, all pairings if none is named."""
    rows = evidence.by_statistic.get((comparison, statistic), evidence.statistics[:0])
    return rows[rows["pairing"].isin(pairings)] if pairings else rows


def same_seed(
    evidence: Evidence, comparison: str, statistic: str, column: str = "value"
) -> pd.Series:
    """A statistic between runs of the same seed, by seed, without undefined values."""
    rows = rows_of(evidence, comparison, statistic, SAME)
    return rows.groupby("seed_a")[column].mean().astype(float).dropna().rename_axis("seed")


def agreement_levels(evidence: Evidence, comparison: str, statistic: str) -> Mapping[str, float]:
    """Mean chance, draw_ceiling, seed_ceiling and other_weights; NaN for what there is not."""
    rows = rows_of(evidence, comparison, statistic)
    means = rows.groupby("pairing")["value"].mean()

    def mean(*pairings: str) -> float:
        return float(means.reindex(list(pairings)).mean())

    return {
        "chance": float(rows.loc[rows["pairing"] == SAME, "chance"].mean()),
        "draw_ceiling": mean(*DRAW_CEILINGS),
        "seed_ceiling": mean(*SEED_CEILINGS),
        "other_weights": mean(OTHER_SEED),
    }


def alike(
    evidence: Evidence, comparison: str, statistic: str, same_model: bool, of: OfLevels
) -> pd.Series:
    """A function of agreement and its ceilings, compared like with like, by seed.

    Where both sides share their initial weights and there are several draws, pairs of runs that
    share initial weights are compared with pairs that do and differ in the draw alone. Elsewhere
    pairs of runs with other initial weights are compared with the ceiling between initial weights.
    So what is left is never the initial weights.

    Args:
        evidence: the results.
        comparison, statistic: which rows.
        same_model: whether both sides are the same model; only then can they share weights.
        of: the function, of mean agreement, ceiling of either side, and chance.

    Returns:
        Jackknife pseudo-values over seeds: their mean is the estimate, their spread its error. Two
        seeds without draws determine an estimate but no error (one value). All NaN without it.
    """
    rows = rows_of(evidence, comparison, statistic).dropna(subset=["value"])
    present = set(rows["pairing"])
    if same_model and present >= set(DRAW_CEILINGS):
        across = [OTHER_DRAW] if OTHER_DRAW in present else [SAME]
        ceilings = DRAW_CEILINGS
    else:
        across = [OTHER_SEED] if same_model else [SAME, OTHER_SEED]
        ceilings = SEED_CEILINGS

    kinds = rows["pairing"]
    first, second = rows["seed_a"].to_numpy(), rows["seed_b"].to_numpy()
    values, chances = rows["value"].to_numpy(float), rows["chance"].to_numpy(float)
    parts = [kinds.isin(names).to_numpy() for names in (across, ceilings[:1], ceilings[1:])]
    same = (kinds == SAME).to_numpy()

    def value(keep: NDArray[np.bool_]) -> float:
        agreement, ceiling_a, ceiling_b = (_mean(values[keep & part]) for part in parts)
        return of(agreement, ceiling_a, ceiling_b, _mean(chances[keep & same]))

    seeds = sorted({*first, *second})
    if not seeds:
        return pd.Series(dtype=float)
    full = value(np.ones(len(rows), dtype=bool))
    left_out = {s: value((first != s) & (second != s)) for s in seeds}
    by_seed = jackknife_values(full, left_out)
    if by_seed.isna().any():
        return pd.Series({seeds[0]: full} | dict.fromkeys(seeds[1:], math.nan))
    return by_seed.rename_axis("seed")


def _mean(values: NDArray[np.float64]) -> float:
    """The mean of what is known; NaN without any."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def corrected_for_reliability(
    across: float, ceiling_a: float, ceiling_b: float, chance: float
) -> float:
    """A correlation between two scores, corrected for their reliability (`disattenuated`)."""
    return disattenuated(across, ceiling_a, ceiling_b)
