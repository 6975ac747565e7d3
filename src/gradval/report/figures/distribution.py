"""Figure 1: how the scores of a data set are distributed, with example images."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from numpy.typing import ArrayLike, NDArray

from gradval.report.figures.colours import score_colours
from gradval.report.figures.style import (
    WIDTH,
    check_images,
    draw_note,
    draw_title,
    load_seaborn,
    note_height,
    show_image,
    style,
    title_height,
)
from gradval.report.labels import shorten
from gradval.study.names import score_label

QUANTILES = np.linspace(0, 1, 11)
MAX_CLASSES = 12  # classes whose distributions can still be told apart
SKEWED = 0.1  # a median below this share of the largest score calls for a logarithmic axis
EDGE = 0.01  # share of the positive scores that such an axis gathers at its lower end

# In inches, from the top: images, lines to the histogram, histogram, classes, axis, note.
LEFT, RIGHT = 1.15, 0.25
STRIP, LINES, CLASS, GAP, AXIS = 1.22, 0.3, 0.2, 0.12, 0.8
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
    bins: int = 50,
    title: str = "",
    note: str = "",
) -> Figure:
    """Show the histogram of normalised scores, and what images lie at its quantiles.

    Above the histogram stand the images at the quantiles 0, 10, ..., 100% with lines to their
    scores. If the classes are given and at most 12, the distribution of each is below. Scores that
    are not negative and crowd near zero get a logarithmic axis, whose lower end takes in all that
    are smaller.

    Args:
        scores: (N,) finite normalised scores; higher means less typical.
        images: uint8 (N, C, H, W), C = 1 or 3; a memory map will do, for only 11 are read.
        score: name of the score, such as "vog".
        labels, class_names: (N,) labels and the names of all classes; both or none.
        bins: number of bins.
        title, note: heading, and what a reader must know (substitutes).

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
    edge = _edge(values)
    shown = np.maximum(values, edge) if edge else values
    log = edge is not None
    _draw_histogram(histogram, shown, colour, bins, log)
    _draw_examples(strip, histogram, values, shown, images)
    last = histogram
    if groups:
        last = place(top + STRIP + LINES + PLOTS - below, below)
        frame = pd.DataFrame({"score": shown, "class": np.asarray(class_names)[np.asarray(labels)]})
        _draw_classes(last, frame, list(groups), colour, log)
        last.set_xlim(histogram.get_xlim())
        histogram.tick_params(axis="x", labelbottom=False)
    last.set_xlabel(_axis_label(score, values, edge, bool(groups)))
    draw_title(figure, title)
    draw_note(figure, note)
    return figure


def quantile_samples(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """The indices of the samples at `QUANTILES`, from the smallest score to the largest."""
    order = np.argsort(scores, kind="stable")
    places = np.round(QUANTILES * (len(scores) - 1)).astype(np.int64)
    samples: NDArray[np.int64] = order[places]
    return samples


def _edge(scores: NDArray[np.float64]) -> float | None:
    """The lower end of a logarithmic axis; None if a linear one shows the scores well."""
    positive = scores[scores > 0]
    if scores.min() < 0 or not len(positive) or np.median(scores) >= SKEWED * scores.max():
        return None
    return float(np.quantile(positive, EDGE))


def _axis_label(score: str, scores: NDArray[np.float64], edge: float | None, classes: bool) -> str:
    text = f"normalised {score_label(score)}, from lowest to highest"
    if edge is not None:
        below = int((scores < edge).sum())
        text += f" (logarithmic; the {below} below {_score_text(edge)} stand at the left end)"
    return text + ("\nclasses: quartiles, whiskers from 5% to 95%" if classes else "")


def _score_text(value: float) -> str:
    """A score with two significant digits; powers of ten for very small ones."""
    if value == 0:
        return "0"
    if abs(value) >= 0.001:
        digits = max(0, 1 - math.floor(math.log10(abs(value))))
        return f"{value:.{digits}f}".replace("-", "−")
    mantissa, exponent = f"{value:.0e}".split("e")
    return rf"${mantissa}\times10^{{{int(exponent)}}}$"


def _draw_histogram(
    axes: Axes, scores: NDArray[np.float64], colour: str, bins: int, log: bool
) -> None:
    load_seaborn().histplot(
        x=scores, bins=bins, log_scale=(log, False), color=colour, alpha=1, linewidth=0, ax=axes
    )
    axes.set(xlabel="", ylabel="number of images")
    low, high = scores.min(), scores.max()
    if log:
        margin = (high / low) ** 0.01
        axes.set_xlim(low / margin, high * margin)
    else:
        margin = 0.01 * (high - low or 1.0)
        axes.set_xlim(low - margin, high + margin)


def _draw_examples(
    strip: Axes,
    histogram: Axes,
    scores: NDArray[np.float64],
    shown: NDArray[np.float64],
    images: NDArray[np.uint8],
) -> None:
    """Show the images at the quantiles in a row and tie them to where their scores are shown."""
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
            f"{quantile:.0%}\n{_score_text(scores[index])}",
            ha="center",
            va="bottom",
            fontsize=10,
            linespacing=1.1,
        )
        strip.add_artist(
            ConnectionPatch(
                (middle, STRIP + 0.03),
                (shown[index], 1.0),
                strip.transData,
                top_edge,
                color="#606060",
                linewidth=0.8,
            )
        )
        histogram.axvline(shown[index], color="black", linewidth=0.9, linestyle=":")
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


def _draw_classes(
    axes: Axes, frame: pd.DataFrame, names: list[str], colour: str, log: bool
) -> None:
    """Draw a box for each class: the middle half, the median, and 5 to 95%."""
    load_seaborn().boxplot(
        frame, x="score", y="class", order=names, orient="h", whis=(5, 95), width=0.6,
        showfliers=False, color=colour, saturation=1, log_scale=(log, False), ax=axes,
        boxprops={"alpha": 0.5}, medianprops={"color": "black", "linewidth": 1.5},
    )  # fmt: skip
    axes.set(ylabel="")
    axes.set_yticks(range(len(names)), [shorten(name, 13) for name in names])


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
