"""Dots with intervals, a row a thing: the mark of most figures about open questions."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gradval.report.figures.accuracy import MARKERS
from gradval.report.figures.style import load_seaborn, note_height
from gradval.report.figures.summary import interval_of_mean
from gradval.study.names import dataset_label, model_label, privacy_label, privacy_order

STRIPE = "#F4F4F4"
DODGE = 0.5  # between the first and last dot of a row, whose distance is 1
LEGEND_HEIGHT = 0.35


def draw_dots(
    axes: Axes,
    rows: pd.DataFrame,
    *,
    x: str,
    y: str,
    order: Sequence[str],
    hue: str,
    palette: Mapping[str, str],
) -> None:
    """Draw means over seeds with their 95% intervals.

    Args:
        axes: where.
        rows: one row a seed; columns x, y and hue. Values that are not known are left out.
        x: column of the value.
        y: column of the row's name, of which `order` has all.
        order: the rows from top to bottom.
        hue: column that tells dots of one row apart.
        palette: value of hue -> colour, in the order of the dots.
    """
    for place in range(1, len(order), 2):  # so that the dots of a row belong together
        axes.axhspan(place - 0.5, place + 0.5, color=STRIPE, linewidth=0, zorder=-1)
    load_seaborn().pointplot(
        rows.dropna(subset=[x]), x=x, y=y, hue=hue, order=list(order), hue_order=list(palette),
        palette=dict(palette), dodge=DODGE if len(palette) > 1 else False,
        errorbar=interval_of_mean, linestyle="none", markers=list(MARKERS[: len(palette)]),
        markersize=5.5, err_kws={"linewidth": 1.5}, legend=False, orient="h", ax=axes,
    )  # fmt: skip
    axes.set(xlabel="", ylabel="", ylim=(len(order) - 0.5, -0.5))
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)


def level_palette(levels: Sequence[str]) -> dict[str, str]:
    """A colour of each privacy level in words, from dark (non-private) to light."""
    names = [privacy_label(level) for level in privacy_order(levels)]
    colours = load_seaborn().color_palette("viridis", len(names)).as_hex()
    return dict(zip(names, colours, strict=True))


def setting_label(key: Sequence[object]) -> str:
    """Data set and model in words, as "ResNet-9, CIFAR-10"."""
    dataset, model = map(str, key)
    return f"{model_label(model)}, {dataset_label(dataset)}"


def dot_handles(labels: Mapping[str, str]) -> list[Artist]:
    """What the legend shows of dots; label -> colour."""
    return [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=label)
        for (label, colour), marker in zip(labels.items(), MARKERS, strict=False)
    ]


def draw_legend(figure: Figure, handles: Sequence[Artist], note: str, columns: int = 6) -> None:
    """Put a legend above the note at the foot of a figure."""
    figure.legend(
        handles=list(handles),
        loc="lower center",
        bbox_to_anchor=(0.5, note_height(note) / figure.get_figheight()),
        ncols=columns,
    )
