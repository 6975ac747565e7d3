"""Figure 1: how the scores of a data set are distributed, with example images."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from numpy.typing import ArrayLike, NDArray

from gradval.report.figures.labels import score_colours, score_label, shorten
from gradval.report.figures.style import (
    WIDTH,
    check_images,
    draw_note,
    draw_title,
    note_height,
    show_image,
    style,
    title_height,
)

QUANTILES = np.linspace(0, 1, 11)
MAX_CLASSES = 12  # classes whose distributions can still be told apart

# In inches, from the top: images, lines to the histogram, histogram, classes, axis, note.
LEFT, RIGHT = 1.15, 0.25
STRIP, LINES, CLASS, GAP, AXIS = 1.22, 0.3, 0.2, 0.12, 0.62
PLOTS = 3.5  # the histogram and the classes together
CAPTION = 0.38


@style()
def plot_score_distribution(
    scores: ArrayLike,
    images: NDArray[np.uint8],
    *,
    score: str,
    labels: ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
    log_y: bool = False,
    bins: int = 50,
    title: str = "",
    note: str = "",
) -> Figure:
    """Show the histogram of normalised scores, and what images lie at its quantiles.

    Above the histogram stand the images at the quantiles 0, 10, ..., 100% with lines to their
    scores. If the classes are given and at most 12, the distribution of each is below.

    Args:
        scores: (N,) finite normalised scores; higher means less typical.
        images: uint8 (N, C, H, W), C = 1 or 3; a memory map will do, for only 11 are read.
        score: name of the score, such as "vog".
        labels, class_names: (N,) labels and the names of all classes; both or none.
        log_y: count on a logarithmic axis, for scores with a heavy tail.
        bins: number of bins.
        title, note: heading, and what a reader must know (stand-ins).

    Returns:
        A figure 11 inches wide and about 6 high.

    Raises:
        ValueError: lengths differ, a score is not finite, images are not as above, or labels and
            names do not match.
    """
    values = _check(scores, images)
    groups = _by_class(values, labels, class_names)
    colour = score_colours([score])[score]
    top = title_height(title)
    height = top + STRIP + LINES + PLOTS + AXIS + note_height(note)
    figure = Figure(figsize=(WIDTH, height))

    def place(y: float, tall: float) -> Axes:
        w = WIDTH - LEFT - RIGHT
        return figure.add_axes((LEFT / WIDTH, 1 - (y + tall) / height, w / WIDTH, tall / height))

    below = min(0.5 * PLOTS, max(CLASS, 0.9 / len(groups)) * len(groups)) if groups else 0
    strip = place(top, STRIP)
    histogram = place(top + STRIP + LINES, PLOTS - below - (GAP if groups else 0))
    _draw_histogram(histogram, values, colour, bins, log_y)
    _draw_examples(strip, histogram, values, images)
    last = histogram
    if groups:
        last = place(top + STRIP + LINES + PLOTS - below, below)
        _draw_classes(last, groups, colour)
        last.set_xlim(histogram.get_xlim())
        histogram.tick_params(axis="x", labelbottom=False)
    meaning = f"normalised {score_label(score)} (low: typical, high: atypical)"
    boxes = "   classes: quartiles, whiskers from 5% to 95%" if groups else ""
    last.set_xlabel(meaning + boxes)
    draw_title(figure, title)
    draw_note(figure, note)
    return figure


def quantile_samples(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """The indices of the samples at `QUANTILES`, from the smallest score to the largest."""
    order = np.argsort(scores, kind="stable")
    places = np.round(QUANTILES * (len(scores) - 1)).astype(np.int64)
    samples: NDArray[np.int64] = order[places]
    return samples


def _draw_histogram(
    axes: Axes, scores: NDArray[np.float64], colour: str, bins: int, log_y: bool
) -> None:
    axes.hist(scores, bins=bins, color=colour, log=log_y)
    if log_y:
        axes.set_ylim(bottom=0.5)  # so that a single image is a bar that can be seen
    axes.set_ylabel("number of images")
    span = np.ptp(scores) or 1.0
    axes.set_xlim(scores.min() - 0.01 * span, scores.max() + 0.01 * span)


def _draw_examples(
    strip: Axes, histogram: Axes, scores: NDArray[np.float64], images: NDArray[np.uint8]
) -> None:
    """Show the images at the quantiles in a row and tie them to their place below."""
    pitch = (WIDTH - LEFT - RIGHT) / len(QUANTILES)
    size = min(STRIP - CAPTION, pitch - 0.08)
    top_edge = histogram.get_xaxis_transform()  # scores in x, 0 to 1 over the height in y
    for place, (index, quantile) in enumerate(
        zip(quantile_samples(scores), QUANTILES, strict=True)
    ):
        middle = (place + 0.5) * pitch
        show_image(strip, np.asarray(images[index]), middle - size / 2, STRIP - size, size)
        strip.text(
            middle,
            STRIP - size - 0.04,
            f"{quantile:.0%}\n{scores[index]:.2f}".replace("-", "−"),
            ha="center",
            va="bottom",
            fontsize=10,
            linespacing=1.1,
        )
        strip.add_artist(
            ConnectionPatch(
                (middle, STRIP + 0.03),
                (scores[index], 1.0),
                strip.transData,
                top_edge,
                color="#606060",
                linewidth=0.8,
            )
        )
        histogram.axvline(scores[index], color="black", linewidth=0.9, linestyle=":")
    strip.text(
        -0.08,
        STRIP - size - 0.04,
        "quantile\nscore",
        ha="right",
        va="bottom",
        fontsize=10,
        linespacing=1.1,
    )
    strip.set(xlim=(0, WIDTH - LEFT - RIGHT), ylim=(STRIP, 0))
    strip.set_axis_off()


def _draw_classes(axes: Axes, groups: dict[str, NDArray[np.float64]], colour: str) -> None:
    """Draw a box for each class: the middle half, the median, and 5 to 95%."""
    axes.boxplot(
        list(groups.values()),
        orientation="horizontal",
        whis=(5, 95),
        widths=0.6,
        showfliers=False,
        patch_artist=True,
        tick_labels=[shorten(name, 13) for name in groups],
        boxprops={"facecolor": colour, "alpha": 0.5},
        medianprops={"color": "black", "linewidth": 1.5},
    )
    axes.invert_yaxis()


def _check(scores: ArrayLike, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    values = np.asarray(scores, dtype=np.float64)
    check_images(images, "images")
    if values.shape != (len(images),):
        raise ValueError(f"there must be one score an image, got {values.shape} for {len(images)}")
    unusable = int((~np.isfinite(values)).sum())
    if unusable:
        raise ValueError(f"scores must be finite, but those of {unusable} samples are not")
    return values


def _by_class(
    scores: NDArray[np.float64], labels: ArrayLike | None, class_names: Sequence[str] | None
) -> dict[str, NDArray[np.float64]]:
    """The scores of each class that has any; empty if there are no classes or too many."""
    if labels is None and class_names is None:
        return {}
    if labels is None or class_names is None:
        raise ValueError("labels and class_names must be given together")
    each = np.asarray(labels)
    if each.shape != scores.shape or each.min() < 0 or each.max() >= len(class_names):
        raise ValueError(
            f"labels must be {len(scores)} integers in [0, {len(class_names)}), one a score"
        )
    if len(class_names) > MAX_CLASSES:
        return {}
    return {name: scores[each == i] for i, name in enumerate(class_names) if (each == i).any()}
