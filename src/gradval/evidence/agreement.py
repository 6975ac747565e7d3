"""The rows of comparisons by seed, and their agreement set against its ceiling like with like."""

import math
from collections.abc import Callable, Mapping

import pandas as pd

from gradval.evidence.results import Evidence
from gradval.evidence.statistics import disattenuated, jackknife_values

# across, ceiling of side a, ceiling of side b, chance -> the quantity
OfLevels = Callable[[float, float, float, float], float]

SAME, OTHER_DRAW, OTHER_SEED = "same seed", "other draw", "other seed"
DRAW_CEILINGS = ("draw ceiling a", "draw ceiling b")
SEED_CEILINGS = ("ceiling a", "ceiling b")


def rows_of(evidence: Evidence, comparison: str, statistic: str, *pairings: str) -> pd.DataFrame:
    """Rows of some pairings of a comparison and statistic, all pairings if none is named."""
    rows = evidence.statistics
    keep = (rows["comparison"] == comparison) & (rows["statistic"] == statistic)
    if pairings:
        keep &= rows["pairing"].isin(pairings)
    return rows[keep]


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

    def value(part: pd.DataFrame) -> float:
        kinds = part["pairing"]
        means = [part.loc[kinds.isin(names), "value"].mean() for names in (across, ceilings[:1])]
        other_side = part.loc[kinds == ceilings[1], "value"].mean()
        chance = part.loc[kinds == SAME, "chance"].mean()
        return of(float(means[0]), float(means[1]), float(other_side), float(chance))

    seeds = sorted(set(rows["seed_a"]) | set(rows["seed_b"]))
    if not seeds:
        return pd.Series(dtype=float)
    full = value(rows)
    left_out = {s: value(rows[(rows["seed_a"] != s) & (rows["seed_b"] != s)]) for s in seeds}
    values = jackknife_values(full, left_out)
    if values.isna().any():
        return pd.Series({seeds[0]: full} | dict.fromkeys(seeds[1:], math.nan))
    return values.rename_axis("seed")


def corrected_for_reliability(
    across: float, ceiling_a: float, ceiling_b: float, chance: float
) -> float:
    """A correlation between two scores, corrected for their reliability (`disattenuated`)."""
    return disattenuated(across, ceiling_a, ceiling_b)
