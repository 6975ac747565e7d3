"""Figures 2 and 4 to 10: the images that two settings select, side by side."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from gradval.report.figures.colours import COMMON_COLOUR, GREY
from gradval.report.figures.sheet import (
    CAPTIONED_HEIGHT,
    SHEET_HEIGHT,
    SHEET_WIDTH,
    SIDE_TITLE,
    Sheet,
    draw_sheet,
    place,
    wrap_title,
)
from gradval.report.figures.statistics_table import footnotes, statistics_table
from gradval.report.figures.style import (
    MARGIN,
    WIDTH,
    check_images,
    draw_note,
    draw_title,
    note_height,
    style,
    title_height,
)
from gradval.report.figures.summary import summarise
from gradval.report.labels import shorten

MAX_CLASSES = 12  # rows for which the chart of class counts has room

# Everything below is in inches.
LEGEND, LINE = 0.36, 0.22
COUNTS_WIDTH, NAME_WIDTH = 2.4, 0.95
# Middles of the columns of the table after the first, without and with a column for the paper.
COLUMNS = {3: (3.9, 6.7, 9.3), 4: (3.8, 6.4, 8.7, 10.2)}


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
        note: what a reader must know, such as "substitute: digits for CIFAR-10".

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
        Sheet(
            images,
            np.isin(index, common),
            wrap_title(side_title),
            [names[i] for i in labels] if names else None,
            np.bincount(labels, minlength=len(names)) if names else None,
        )
        for images, index, side_title, labels in (
            (images_a, index_a, titles[0], _labels(classes_a)),
            (images_b, index_b, titles[1], _labels(classes_b)),
        )
    )
    summaries = summarise(statistics, pairing)
    rows = statistics_table(summaries, paper or {}, len(index_a), pairing)
    notes = footnotes(summaries, paper or {}, images_a.shape[1:])
    return _draw(sides, names, rows, notes, len(common), title, note)


def _draw(
    sides: tuple[Sheet, ...],
    names: list[str] | None,
    rows: list[list[str]],
    notes: list[str],
    common: int,
    title: str,
    note: str,
) -> Figure:
    """Lay out all parts from top to bottom; all have their size in inches."""
    side_title = SIDE_TITLE * (1 + max(side.title.count("\n") for side in sides))
    table = LINE * (len(rows) + len(notes))
    top = title_height(title)
    sheet = CAPTIONED_HEIGHT if names else SHEET_HEIGHT
    height = top + side_title + sheet + LEGEND + table + (note_height(note) or MARGIN)
    figure = Figure(figsize=(WIDTH, height))
    draw_title(figure, title)
    gap = COUNTS_WIDTH if names else 0.5
    lefts = ((WIDTH - gap) / 2 - SHEET_WIDTH, (WIDTH + gap) / 2)
    top += side_title
    for side, left in zip(sides, lefts, strict=True):
        draw_sheet(place(figure, left, top, SHEET_WIDTH, sheet), side)
    if names:
        _draw_counts(figure, sides, names, top)
    top += sheet
    k = len(sides[0].images)
    figure.legend(
        handles=[Patch(facecolor="none", edgecolor=COMMON_COLOUR, linewidth=2.5)],
        labels=[f"selected by both ({common} of the {k} shown); ranks run from the top left"],
        loc="center",
        bbox_to_anchor=(0.5, 1 - (top + LEGEND / 2) / height),
    )
    _draw_table(place(figure, MARGIN, top + LEGEND, WIDTH - 2 * MARGIN, table), rows, notes)
    draw_note(figure, note)
    return figure


def _draw_counts(figure: Figure, sides: Sequence[Sheet], names: list[str], top: float) -> None:
    """Chart the class counts between the sheets, those of a side pointing towards it."""
    counts = np.array([side.counts for side in sides])
    shown = np.sort(np.argsort(-counts.max(axis=0), kind="stable")[:MAX_CLASSES])
    bars = (COUNTS_WIDTH - NAME_WIDTH) / 2 - 0.05
    limit = counts.max() * 1.5  # room for the numbers
    middle, half = (len(shown) - 1) / 2, max(len(shown), 6) / 2
    heading = "images per class" if len(shown) == len(names) else "most frequent classes"
    figure.text(
        0.5,
        1 - (top - 0.08) / figure.get_figheight(),
        heading,
        ha="center",
        va="bottom",
        fontsize=10,
    )
    for number, side in enumerate(counts):
        left = WIDTH / 2 + (-NAME_WIDTH / 2 - bars if number == 0 else NAME_WIDTH / 2)
        axes = place(figure, left, top, bars, CAPTIONED_HEIGHT)
        axes.set(
            xlim=(limit, 0) if number == 0 else (0, limit),
            ylim=(middle + half, middle - half),
        )
        values = side[shown]
        dark = values == counts[number].max()
        drawn = axes.barh(
            range(len(shown)), values, height=0.7, color=np.where(dark, "#404040", GREY)
        )
        axes.bar_label(drawn, labels=[str(v) if v else "" for v in values], padding=2, fontsize=10)
        if number == 1:
            for row, label in enumerate(shown):
                axes.text(
                    -NAME_WIDTH / 2 * limit / bars,
                    row,
                    shorten(names[label], 11),
                    ha="center",
                    va="center",
                    fontsize=10,
                )


def _draw_table(axes: Axes, rows: list[list[str]], notes: list[str]) -> None:
    """Write a table and its footnotes into axes in inches.

    Names stand to the left, all else is centred on its column.
    """
    # Not Axes.table, which rescales itself whenever it is drawn: two files would differ.
    for number, row in enumerate(rows):
        middle = (number + 0.5) * LINE
        axes.text(0.02, middle, row[0], ha="left", va="center", fontsize=10)
        for column, (x, text) in enumerate(zip(COLUMNS[len(row) - 1], row[1:], strict=True)):
            weight = "bold" if number and not column else "normal"
            axes.text(x, middle, text, ha="center", va="center", fontsize=10, weight=weight)
    for number, note in enumerate(notes, len(rows)):
        middle = (number + 0.5) * LINE
        axes.text(0.02, middle, note, ha="left", va="center", fontsize=10, style="italic")
    axes.plot(axes.get_xlim(), [LINE, LINE], color="#808080", linewidth=0.8)
    axes.set(xlim=(0, WIDTH - 2 * MARGIN), ylim=(LINE * (len(rows) + len(notes)), 0))


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
