"""What the rows of one comparison's ``statistics.csv`` say in sum: mean, chance and ceiling."""

import math
from dataclasses import dataclass

import pandas as pd

from gradval.report.figures.style import check_columns

CEILINGS = ("ceiling a", "ceiling b")
COLUMNS = (
    "pairing",
    "seed_a",
    "seed_b",
    "statistic",
    "value",
    "chance",
    "chance_low",
    "chance_high",
)


@dataclass(frozen=True, slots=True)
class StatisticSummary:
    """One statistic of one comparison.

    Attributes:
        values: its value for each pair of seeds; NaN where it is undefined.
        mean: the mean of those that are defined; NaN if none is.
        chance, chance_low, chance_high: the same statistic of random selections or of unrelated
            scores: mean, and the interval that holds 95% of cases; means over the pairs of seeds.
        ceiling_a, ceiling_b: the same statistic between two seeds of the one side and of the
            other side, mean over the pairs of seeds; NaN if there is only one seed.
    """

    values: tuple[float, ...]
    mean: float
    chance: float
    chance_low: float
    chance_high: float
    ceiling_a: float
    ceiling_b: float

    @property
    def ceiling(self) -> float:
        """The best agreement to be expected: the mean of the ceilings that there are."""
        known = [c for c in (self.ceiling_a, self.ceiling_b) if not math.isnan(c)]
        return sum(known) / len(known) if known else math.nan


def summarise(statistics: pd.DataFrame, pairing: str = "same seed") -> dict[str, StatisticSummary]:
    """Summarise the rows of one comparison.

    Args:
        statistics: rows of ``statistics.csv``, one a (pairing, seed_a, seed_b, statistic), with the
            columns pairing, seed_a, seed_b, statistic, value, chance, chance_low, chance_high.
        pairing: whose rows give the values: "same seed" or "other seed". The ceilings are the rows
            of the pairings "ceiling a" and "ceiling b".

    Returns:
        A summary of each statistic, in the order of the rows.

    Raises:
        ValueError: a column is missing, there are no rows of this pairing, or there are two rows
            where there must be one (those of two comparisons, say).
    """
    check_columns(statistics, COLUMNS, "statistics")
    draws = [column for column in ("draw_a", "draw_b") if column in statistics]
    if statistics.duplicated(["pairing", "seed_a", "seed_b", "statistic", *draws]).any():
        raise ValueError("statistics must be of one comparison, but some rows occur twice")
    chosen = statistics[statistics["pairing"] == pairing]
    if chosen.empty:
        known = ", ".join(sorted(set(statistics["pairing"])))
        raise ValueError(f"statistics have no rows of pairing {pairing!r}, only of: {known}")
    ceilings = {
        side: statistics[statistics["pairing"] == side].groupby("statistic")["value"].mean()
        for side in CEILINGS
    }
    summaries = {}
    for name, rows in chosen.groupby("statistic", sort=False):
        # The draws of a pair of seeds are one value: they share their initial weights.
        by_pair = rows.groupby(["seed_a", "seed_b"], sort=False)["value"].mean()
        means = rows[["value", "chance", "chance_low", "chance_high"]].mean()
        summaries[str(name)] = StatisticSummary(
            values=tuple(map(float, by_pair)),
            mean=float(means["value"]),
            chance=float(means["chance"]),
            chance_low=float(means["chance_low"]),
            chance_high=float(means["chance_high"]),
            ceiling_a=float(ceilings["ceiling a"].get(name, math.nan)),
            ceiling_b=float(ceilings["ceiling b"].get(name, math.nan)),
        )
    return summaries


def interval_of_mean(values: pd.Series) -> tuple[float, float]:
    """The 95% confidence interval of a mean over seeds; the mean itself for one seed."""
    # Loaded when it is used: it needs SciPy.
    from gradval.evidence.intervals import summarise as summarise_seeds

    summary = summarise_seeds(values)
    if math.isnan(summary.low):
        return summary.mean, summary.mean
    return summary.low, summary.high


def check_overlap(summary: StatisticSummary, k: int) -> None:
    """Raise ValueError if selections of k images cannot have such an overlap."""
    largest = max(summary.values)
    if largest > k:
        raise ValueError(
            f"statistics must be of selections of k = {k}, but an overlap is {largest:g}"
        )
