"""The table below two selections: what was measured, chance, ceiling, and the paper's value."""

import math
from collections.abc import Mapping

from gradval.report.figures.labels import statistic_label
from gradval.report.figures.summary import Summary, check_overlap

PAIR_STATISTICS = ("overlap", "ssim_matched", "bhattacharyya", "spearman")


def statistics_table(
    summaries: Mapping[str, Summary], paper: Mapping[str, float], k: int, pairing: str
) -> list[list[str]]:
    """The table below the images as text: its header and a row for each statistic.

    Raises:
        ValueError: a statistic is missing or unknown, or an overlap is larger than k.
    """
    names = [*PAIR_STATISTICS, *(name for name in paper if name not in PAIR_STATISTICS)]
    labels = [statistic_label(name) for name in names]
    for name in names:
        if name not in summaries:
            raise ValueError(f"statistics have no rows of {name!r}")
    check_overlap(summaries["overlap"], k)
    count = max(len(summaries[name].values) for name in names)
    several = "seeds" if pairing == "same seed" else "pairs of seeds"
    measured = f"measured, mean of {count} {several} (range)"
    header = [
        "↑ high, ↓ low: alike",
        measured if count > 1 else "measured, one seed",
        "chance (95% interval)",
        "ceiling: two seeds, left | right",
    ]
    table = [[*header, "paper"] if paper else header]
    for name, label in zip(names, labels, strict=True):
        summary = summaries[name]
        row = [
            f"{label} (of {k}) ↑" if name == "overlap" else f"{label} {_alike(name)}",
            _measured(name, summary),
            f"{_number(name, summary.chance)} "
            f"({_range(name, summary.chance_low, summary.chance_high)})",
            f"{_number(name, summary.ceiling_a)} | {_number(name, summary.ceiling_b)}",
        ]
        if paper:
            row.append(_paper_number(name, paper[name]) if name in paper else "–")
        table.append(row)
    return table


def _alike(name: str) -> str:
    """Which values mean that the selections are alike: those that are high or low."""
    return "↓" if name == "bhattacharyya" else "↑"


def _measured(name: str, summary: Summary) -> str:
    defined = [value for value in summary.values if not math.isnan(value)]
    text = _number(name, summary.mean)
    if len(defined) > 1:
        text += f" ({_range(name, min(defined), max(defined))})"
    undefined = len(summary.values) - len(defined)
    return f"{text}, {undefined} undefined" if undefined and defined else text


def _range(name: str, low: float, high: float) -> str:
    return " to ".join(_number(name, end).removesuffix(".0") for end in (low, high))


def _number(name: str, value: float) -> str:
    """A value with the digits that its statistic deserves."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    digits = {"overlap": 1, "bhattacharyya": 3}.get(name, 2)
    text = f"{value:.{digits}f}"
    return text.replace("-", "−")


def _paper_number(name: str, value: float) -> str:
    """A value of the paper, which prints two or three digits."""
    text = f"{value:g}" if name == "overlap" else f"{value:.3f}".removesuffix("0")
    return text.replace("-", "−")
