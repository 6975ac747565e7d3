"""Figures 2 and 4 to 10: the images that two settings select, side by side."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import ArrayLike, NDArray

from gradval.figures.labels import COMMON_COLOUR, statistic_label
from gradval.figures.style import (
    GREY,
    NOTE_STYLE,
    check_images,
    show_image,
    style,
    wrap_note,
)
from gradval.figures.summary import Summary, summarise

PAIR_STATISTICS = ("overlap", "ssim_matched", "bhattacharyya", "spearman")
MAX_CLASSES = 12  # rows for which the chart of class counts has room

# Everything below is in inches.
WIDTH, MARGIN = 11.0, 0.15
TITLE, SIDE_TITLE, LEGEND, LINE = 0.36, 0.22, 0.36, 0.225
SHEET_HEIGHT, SHEET_WIDTH = 3.8, 4.15
COUNTS_WIDTH, NAME_WIDTH = 2.1, 1.0
CAPTION = 0.19  # height of a class name below its image
FRAME = 0.035


@dataclass(frozen=True)
class _Side:
    """One of the two selections; `names` and `counts` only if the classes are given."""

    images: NDArray[np.uint8]
    common: NDArray[np.bool_]
    title: str
    names: list[str] | None
    counts: NDArray[np.int64] | None


@style()
def plot_selection_pair(
    images_a: NDArray[np.uint8],
    images_b: NDArray[np.uint8],
    *,
    indices_a: ArrayLike,
    indices_b: ArrayLike,
    titles: tuple[str, str],
    statistics: pd.DataFrame,
    paper: Mapping[str, float] | None = None,
    classes_a: ArrayLike | None = None,
    classes_b: ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
    pairing: str = "same seed",
    title: str = "",
    note: str = "",
) -> Figure:
    """Show two selections as contact sheets above a table of how much they have in common.

    Images that both sides select have a frame. Below stands for each statistic its mean over
    seeds, its chance level, its ceiling on either side and what the paper states. If the classes
    are given (for selections over all classes), each image bears the name of its class, and a chart
    in the middle counts them, with the most frequent ones of each side highlighted (Figure 10).

    Args:
        images_a, images_b: uint8 (k, C, H, W), C = 1 or 3, in the order of their ranks.
        indices_a, indices_b: (k,) the samples' indices in the data set, by which common images are
            known.
        titles: what each side is, such as "ResNet-18, ε = 1".
        statistics: rows of ``statistics.csv`` for this comparison, as for `summarise`; must have
            overlap, ssim_matched, bhattacharyya and spearman.
        paper: the paper's value for any statistic; one that is not among those four gets a line of
            its own.
        classes_a, classes_b: (k,) labels of the images; all three of these or none.
        class_names: names of all classes, position = label.
        pairing: which pairs of seeds the table is about, as for `summarise`.
        title: heading of the whole figure.
        note: what a reader must know, such as "stand-in: digits for CIFAR-10".

    Returns:
        A figure 11 inches wide and about 6 high.

    Raises:
        ValueError: shapes or lengths do not match, an index occurs twice on a side, classes are
            given in part or are out of range, a statistic is missing or unknown, or as `summarise`.
    """
    index_a, index_b = _check_sides(images_a, images_b, indices_a, indices_b)
    names = _class_names(classes_a, classes_b, class_names, len(index_a))
    common = np.intersect1d(index_a, index_b)
    sides = tuple(
        _Side(
            images,
            np.isin(index, common),
            textwrap.fill(side_title, 44),
            [names[i] for i in labels] if names else None,
            np.bincount(labels, minlength=len(names)) if names else None,
        )
        for images, index, side_title, labels in (
            (images_a, index_a, titles[0], _labels(classes_a)),
            (images_b, index_b, titles[1], _labels(classes_b)),
        )
    )
    rows = statistics_table(summarise(statistics, pairing), paper or {}, len(index_a))
    return _draw(sides, names, rows, len(common), title, wrap_note(note))


def statistics_table(
    summaries: Mapping[str, Summary], paper: Mapping[str, float], k: int
) -> list[list[str]]:
    """The table below the images as text: its header and a row for each statistic.

    Raises:
        ValueError: a statistic is missing or unknown.
    """
    names = [*PAIR_STATISTICS, *(name for name in paper if name not in PAIR_STATISTICS)]
    labels = [statistic_label(name) for name in names]
    for name in names:
        if name not in summaries:
            raise ValueError(f"statistics have no rows of {name!r}")
    seeds = max(len(summaries[name].values) for name in names)
    measured = "measured, one seed" if seeds == 1 else f"measured, mean of {seeds} seeds (range)"
    header = ["", measured, "chance (95% interval)", "two seeds, left | right"]
    table = [[*header, "paper"] if paper else header]
    for name, label in zip(names, labels, strict=True):
        summary = summaries[name]
        row = [
            f"{label} (of {k})" if name == "overlap" else label,
            _measured(name, summary),
            f"{_number(name, summary.chance)} ({_number(name, summary.chance_low)} to "
            f"{_number(name, summary.chance_high)})",
            f"{_number(name, summary.ceiling_a)} | {_number(name, summary.ceiling_b)}",
        ]
        if paper:
            row.append(_paper_number(name, paper[name]) if name in paper else "–")
        table.append(row)
    return table


def _measured(name: str, summary: Summary) -> str:
    defined = [value for value in summary.values if not math.isnan(value)]
    mean = _number(name, summary.mean)
    if len(defined) < 2:
        return mean
    return f"{mean} ({_number(name, min(defined))} to {_number(name, max(defined))})"


def _number(name: str, value: float) -> str:
    """A value with the digits that its statistic deserves."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.1f}".removesuffix(".0") if name == "overlap" else f"{value:.2f}"
    return text.replace("-", "−")


def _paper_number(name: str, value: float) -> str:
    """A printed value, with all the digits that were printed."""
    return f"{value:g}".replace("-", "−") if name == "overlap" else f"{value:.3g}"


def _draw(
    sides: tuple[_Side, ...],
    names: list[str] | None,
    rows: list[list[str]],
    common: int,
    title: str,
    note: str,
) -> Figure:
    """Lay out all parts from top to bottom; all have their size in inches."""
    side_title = SIDE_TITLE * (1 + max(side.title.count("\n") for side in sides))
    table = LINE * len(rows)
    top = MARGIN + (TITLE if title else 0)
    foot = (0.1 + 0.2 * (1 + note.count("\n"))) if note else 0
    height = top + side_title + SHEET_HEIGHT + LEGEND + table + foot + MARGIN
    figure = Figure(figsize=(WIDTH, height))
    if title:
        figure.suptitle(title, y=1 - MARGIN / height, va="top")
    gap = COUNTS_WIDTH if names else 0.5
    lefts = ((WIDTH - gap) / 2 - SHEET_WIDTH, (WIDTH + gap) / 2)
    top += side_title
    for side, left in zip(sides, lefts, strict=True):
        _draw_sheet(_place(figure, left, top, SHEET_WIDTH, SHEET_HEIGHT), side)
    if names:
        _draw_counts(figure, sides, names, top)
    top += SHEET_HEIGHT
    k = len(sides[0].images)
    figure.legend(
        handles=[Patch(facecolor="none", edgecolor=COMMON_COLOUR, linewidth=2.5)],
        labels=[f"selected by both ({common} of the {k} shown); ranks run from the top left"],
        loc="center",
        bbox_to_anchor=(0.5, 1 - (top + LEGEND / 2) / height),
    )
    _draw_table(_place(figure, MARGIN, top + LEGEND, WIDTH - 2 * MARGIN, table), rows)
    if note:
        figure.text(MARGIN / WIDTH, MARGIN / height, note, va="bottom", **NOTE_STYLE)
    return figure


def _place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add empty axes at a place given in inches from the top left, whose units are inches."""
    w, h = figure.get_size_inches()
    axes = figure.add_axes((left / w, 1 - (top + height) / h, width / w, height / h))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return axes


def _draw_sheet(axes: Axes, side: _Side) -> None:
    """Fill axes in inches with the images of one side and their frames."""
    columns = math.ceil(math.sqrt(len(side.images)))
    rows = math.ceil(len(side.images) / columns)
    pitch_x, pitch_y = SHEET_WIDTH / columns, SHEET_HEIGHT / rows
    caption = CAPTION if side.names else 0
    size = min(pitch_x, pitch_y - caption) - 4 * FRAME
    if not side.names:  # no captions: tiles as close as their frames allow
        pitch_x = pitch_y = size + 4 * FRAME
    indent = (SHEET_WIDTH - pitch_x * columns) / 2
    for rank, image in enumerate(side.images):
        row, column = divmod(rank, columns)
        left = indent + column * pitch_x + (pitch_x - size) / 2
        top = row * pitch_y + 2 * FRAME
        x, y, width, height = show_image(axes, image, left, top, size)
        if side.common[rank]:
            axes.add_patch(
                Rectangle(
                    (x - FRAME / 2, y - FRAME / 2),
                    width + FRAME,
                    height + FRAME,
                    fill=False,
                    edgecolor=COMMON_COLOUR,
                    linewidth=72 * FRAME,
                    clip_on=False,
                )
            )
        if side.names:
            name = textwrap.shorten(side.names[rank], 11, placeholder="…")
            axes.text(left + size / 2, top + size + FRAME, name, ha="center", va="top", fontsize=10)
    axes.set(xlim=(0, SHEET_WIDTH), ylim=(SHEET_HEIGHT, 0))
    axes.set_title(side.title, fontsize=12)


def _draw_counts(figure: Figure, sides: Sequence[_Side], names: list[str], top: float) -> None:
    """Chart the class counts between the sheets, bars of either side pointing towards it."""
    counts = np.array([side.counts for side in sides])
    shown = np.sort(np.argsort(-counts.sum(axis=0), kind="stable")[:MAX_CLASSES])
    bars = (COUNTS_WIDTH - NAME_WIDTH) / 2 - 0.05
    limit = counts.max() * 1.55  # room for the numbers
    for number, side in enumerate(counts):
        left = WIDTH / 2 + (-NAME_WIDTH / 2 - bars if number == 0 else NAME_WIDTH / 2)
        axes = _place(figure, left, top + 0.1, bars, SHEET_HEIGHT - 0.2)
        values = side[shown]
        dark = values == counts[number].max()
        drawn = axes.barh(
            range(len(shown)), values, height=0.7, color=np.where(dark, "#404040", GREY)
        )
        axes.bar_label(drawn, labels=[str(v) if v else "" for v in values], padding=2, fontsize=10)
        axes.set(
            xlim=(limit, 0) if number == 0 else (0, limit),
            ylim=(max(len(shown), 6) - 0.5, -0.5),
        )
        if number == 1:
            for row, label in enumerate(shown):
                axes.text(
                    -NAME_WIDTH / 2 * limit / bars,
                    row,
                    textwrap.shorten(names[label], 12, placeholder="…"),
                    ha="center",
                    va="center",
                    fontsize=10,
                )


def _draw_table(axes: Axes, rows: list[list[str]]) -> None:
    widths = {4: (0.25, 0.27, 0.26, 0.22), 5: (0.23, 0.27, 0.24, 0.18, 0.08)}[len(rows[0])]
    table = axes.table(
        cellText=rows, colWidths=widths, cellLoc="center", edges="open", bbox=(0, 0, 1, 1)
    )
    table.auto_set_font_size(False)
    table.set_fontsize(10)
    for (row, column), cell in table.get_celld().items():
        if column == 0:
            cell.set_text_props(ha="left")
        if row == 0:
            cell.visible_edges = "B"
            cell.set_edgecolor("#808080")
        if row == 0 or column in (0, 1):
            cell.set_text_props(weight="bold" if column == 1 and row else "normal")


def _check_sides(
    images_a: NDArray[np.uint8],
    images_b: NDArray[np.uint8],
    indices_a: ArrayLike,
    indices_b: ArrayLike,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    check_images(images_a, "images_a")
    check_images(images_b, "images_b")
    if images_a.shape != images_b.shape:
        raise ValueError(
            f"both sides must have as many images of one shape, got {images_a.shape} and "
            f"{images_b.shape}"
        )
    checked = []
    for name, indices in (("indices_a", indices_a), ("indices_b", indices_b)):
        index = np.asarray(indices)
        if index.shape != (len(images_a),) or index.dtype.kind not in "iu":
            raise ValueError(
                f"{name} must be {len(images_a)} integers, one an image, got {index.dtype} "
                f"{index.shape}"
            )
        if len(np.unique(index)) != len(index):
            raise ValueError(f"{name} must differ, one occurs twice")
        checked.append(index.astype(np.int64))
    return checked[0], checked[1]


def _class_names(
    classes_a: ArrayLike | None,
    classes_b: ArrayLike | None,
    class_names: Sequence[str] | None,
    k: int,
) -> list[str] | None:
    """The names of all classes, checked against the labels; None if nothing is given."""
    given = (classes_a, classes_b, class_names)
    if all(part is None for part in given):
        return None
    if classes_a is None or classes_b is None or class_names is None:
        raise ValueError("classes_a, classes_b and class_names must be given together")
    for name, classes in (("classes_a", classes_a), ("classes_b", classes_b)):
        labels = np.asarray(classes)
        if labels.shape != (k,) or labels.dtype.kind not in "iu":
            raise ValueError(f"{name} must be {k} integers, got {labels.dtype} {labels.shape}")
        if labels.min() < 0 or labels.max() >= len(class_names):
            raise ValueError(f"{name} must lie in [0, {len(class_names)})")
    return list(class_names)


def _labels(classes: ArrayLike | None) -> NDArray[np.int64]:
    return np.asarray([] if classes is None else classes, dtype=np.int64)
