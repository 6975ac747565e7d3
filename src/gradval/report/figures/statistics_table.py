"""The table below two selections: what was measured, chance, ceiling, and the paper's value."""

import math
from collections.abc import Mapping

from gradval.report.figures.summary import StatisticSummary, check_overlap
from gradval.report.labels import statistic_label

TINY = 16  # pixels of the longer side, up to which statistics of pixels tell next to nothing
PAIR_STATISTICS = ("overlap", "ssim_matched", "bhattacharyya", "spearman")


def statistics_table(
    summaries: Mapping[str, StatisticSummary], paper: Mapping[str, float], k: int, pairing: str
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


def footnotes(
    summaries: Mapping[str, StatisticSummary],
    paper: Mapping[str, float],
    image_shape: tuple[int, ...],
) -> list[str]:
    """What a reader of the table must know about its statistics.

    Args:
        summaries, paper: as for `statistics_table`.
        image_shape: (C, H, W) of the images.
    """
    notes = []
    if is_tiny(image_shape):
        notes.append(
            f"SSIM and Bhattacharyya distance are not informative at {size_text(image_shape)} "
            f"(chance: {_number('ssim_matched', summaries['ssim_matched'].chance)} and "
            f"{_number('bhattacharyya', summaries['bhattacharyya'].chance)})."
        )
    if "bhattacharyya" in paper:
        notes.append(
            "The paper does not define its Bhattacharyya distance: its "
            f"{_paper_number('bhattacharyya', paper['bhattacharyya'])} cannot be set against ours, "
            "for which values near 0.9 are out of reach."
        )
    return notes


def is_tiny(image_shape: tuple[int, ...]) -> bool:
    """Whether images are too small for SSIM and Bhattacharyya distance to tell them apart."""
    return max(image_shape[1:]) <= TINY


def size_text(image_shape: tuple[int, ...]) -> str:
    """The size of images in words: "8 × 8 pixels"."""
    height, width = image_shape[1:]
    return f"{width} × {height} pixels"


def _alike(name: str) -> str:
    """Which values mean that the selections are alike: those that are high or low."""
    return "↓" if name == "bhattacharyya" else "↑"


def _measured(name: str, summary: StatisticSummary) -> str:
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
