"""What values a statistic can have at all, and intervals cut to them.

Student's interval of two seeds knows nothing of what is possible: it may say that an overlap of 25
lies between -15 and 48. A reader is shown the possible part, and told that it was cut.
"""

import math
import re
from dataclasses import dataclass

ANY = (-math.inf, math.inf)
# By the first words of a statistic as the claims table prints it.
RANGES = {
    "ssim": (-1.0, 1.0),
    "pearson": (-1.0, 1.0),
    "bhattacharyya": (0.0, math.inf),
    "dominant class": (0.0, 1.0),
    "rank of": (0.0, 1.0),
    "overlap lost": (-1.0, 1.0),
    "difference of overlap lost": (-2.0, 2.0),
    "test accuracy": (0.0, 100.0),
    "train accuracy %": (0.0, 100.0),
    "train accuracy": (-100.0, 100.0),
    "accuracy difference": (-100.0, 100.0),
    "training time reduction": (-math.inf, 100.0),
    "training and scoring saved": (-math.inf, 100.0),
    "scoring time": (0.0, math.inf),
}
LONGEST_FIRST = sorted(RANGES, key=len, reverse=True)


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval within what is possible.

    Attributes:
        low, high: its ends.
        cut_low, cut_high: whether it was cut there.
        everything: whether it says nothing: it holds all that is possible.
    """

    low: float
    high: float
    cut_low: bool = False
    cut_high: bool = False
    everything: bool = False


def possible(statistic: str, k: int = 0) -> tuple[float, float]:
    """The smallest and the largest value that a statistic can have.

    Args:
        statistic: as the claims table prints it, such as "overlap of 25".
        k: size of a selection, for overlaps that do not name theirs; 0 for unknown.
    """
    for start in LONGEST_FIRST:
        if statistic.startswith(start):
            return RANGES[start]
    if statistic.startswith(("overlap", "consistency")):
        named = re.search(r"of (\d+)", statistic)
        most = float(named[1]) if named else float(k)
        return 0.0, most or math.inf
    return ANY


def cut(low: float, high: float, limits: tuple[float, float]) -> Interval | None:
    """The part of an interval that is possible; `None` if there is no interval."""
    if math.isnan(low) or math.isnan(high):
        return None
    least, most = limits
    cut_low, cut_high = low < least, high > most
    return Interval(
        max(low, least), min(high, most), cut_low, cut_high, everything=cut_low and cut_high
    )
