"""Figure 3: which score selects the same images with and without privacy."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from gradval.report.figures.labels import score_colours, score_label, score_order, statistic_label
from gradval.report.figures.style import GREY, check_columns, new_figure, note_height, style
from gradval.report.figures.summary import Summary, check_overlap, summarise

PANELS = ("overlap", "ssim_matched", "pearson_top_a", "spearman")
BAR, SLOT = 0.55, 0.86  # heights of a bar and of the marks for chance and ceiling


@style()
def plot_consistency(
    statistics: pd.DataFrame,
    *,
    sides: tuple[str, str] = ("non-private", "private"),
    k: int = 25,
    panels: Sequence[str] = PANELS,
    pairing: str = "same seed",
    title: str = "",
    note: str = "",
) -> Figure:
    """Chart how well two settings agree, score by score, in a panel for each statistic.

    A bar is the mean over seeds, a point one pair of seeds, the grey band what holds 95% of chance,
    and a black line the mean of the ceilings of both sides.

    Args:
        statistics: rows of ``statistics.csv`` as for `summarise`, of one comparison for each score,
            with the further column score.
        sides: what the sides a and b of these comparisons are.
        k: size of the selections, at which overlap ends.
        panels: statistics to show.
        pairing: which pairs of seeds the bars are about, as for `summarise`.
        title, note: heading, and what a reader must know (stand-ins).

    Raises:
        ValueError: a column or a statistic is missing or unknown, an overlap is larger than k, or
            as `summarise`.
    """
    check_columns(statistics, ["score"], "statistics")
    names = score_order(statistics["score"])
    summaries = {
        name: summarise(statistics[statistics["score"] == name], pairing) for name in names
    }
    labels = [statistic_label(panel, sides) for panel in panels]
    for panel in panels:
        for name in names:
            if panel not in summaries[name]:
                raise ValueError(f"statistics have no rows of {panel!r} for the score {name!r}")
            if panel == "overlap":
                check_overlap(summaries[name][panel], k)
    figure = new_figure(0.9 + 0.7 * len(names), title, note, legend_height=0.35)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for panel, label, ax in zip(panels, labels, axes, strict=True):
        _draw_panel(ax, {name: summaries[name][panel] for name in names})
        ax.set_title(label.replace(" (", "\n("), fontsize=11)
        if panel == "overlap":
            ax.set_title(f"{label}\n(of {k} images)", fontsize=11)
        if panel == "bhattacharyya":
            ax.set_title(f"{label}\n(low: alike)", fontsize=11)
        else:  # all others have a largest value
            ax.set_xlim(right=1.03 * (k if panel == "overlap" else 1))
    axes[0].set_yticks(range(len(names)), [score_label(name) for name in names])
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    figure.legend(
        handles=_legend("one seed" if pairing == "same seed" else "one pair of seeds"),
        loc="lower center",
        bbox_to_anchor=(0.5, note_height(note) / figure.get_figheight()),
        ncols=4,
    )
    return figure


def _draw_panel(axes: Axes, summaries: dict[str, Summary]) -> None:
    colours = score_colours(summaries)
    axes.grid(axis="x")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    for row, (name, summary) in enumerate(summaries.items()):
        if math.isfinite(summary.chance_high - summary.chance_low):
            width = summary.chance_high - summary.chance_low
            axes.add_patch(
                Rectangle((summary.chance_low, row - SLOT / 2), width, SLOT, color=GREY, lw=0)
            )
        if math.isfinite(summary.mean):
            axes.barh(row, summary.mean, height=BAR, color=colours[name])
        else:
            axes.text(0, row, " undefined" if math.isnan(summary.mean) else " ∞", va="center")
        ends = (row - SLOT / 2, row + SLOT / 2)
        axes.plot([summary.ceiling] * 2, ends, color="black", linewidth=2.5)
        apart = 0.12 * (np.arange(len(summary.values)) - (len(summary.values) - 1) / 2)
        axes.plot(
            summary.values,
            row + np.clip(apart, -SLOT / 2, SLOT / 2),
            "o",
            color="white",
            markeredgecolor="black",
            markersize=4.5,
        )


def _legend(point: str) -> list[Artist]:
    return [
        Patch(facecolor="#909090", label="mean over seeds"),
        Line2D([], [], marker="o", color="white", markeredgecolor="black", label=point),
        Patch(facecolor=GREY, label="chance: 95% interval"),
        Line2D([], [], color="black", linewidth=2.5, label="ceiling: same setting, two seeds"),
    ]
