"""Figure 3: which score selects the same images with and without privacy."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from gradval.report.figures.colours import GREY, score_colours
from gradval.report.figures.statistics_table import is_tiny, size_text
from gradval.report.figures.style import (
    check_columns,
    load_seaborn,
    new_figure,
    note_height,
    style,
)
from gradval.report.figures.summary import (
    StatisticSummary,
    check_overlap,
    interval_of_mean,
    summarise,
)
from gradval.report.labels import OF_IMAGES, statistic_label
from gradval.study.names import score_label, score_order

PANELS = ("overlap", "ssim_matched", "pearson_top_a", "spearman")
SLOT = 0.8  # height of the marks of one score, whose distance is 1


@style()
def plot_consistency(
    statistics: pd.DataFrame,
    *,
    sides: tuple[str, str] = ("non-private", "private"),
    k: int = 25,
    candidates: int | None = None,
    pearson_top: int | None = None,
    image_shape: tuple[int, ...] | None = None,
    panels: Sequence[str] = PANELS,
    pairing: str = "same seed",
    title: str = "",
    note: str = "",
) -> Figure:
    """Chart how well two settings agree, score by score, in a panel for each statistic.

    A large dot is the mean over seeds, with its 95% confidence interval cut off at the frame, a
    small one a pair of seeds; the grey band holds 95% of chance, and a black line is the mean of
    the ceilings of both sides.

    Args:
        statistics: rows of ``statistics.csv`` as for `summarise`, of one comparison for each score,
            with the further column score.
        sides: what the sides a and b of these comparisons are.
        k: size of the selections, at which overlap ends.
        candidates: how many samples they are chosen from.
        pearson_top: how many samples the correlation of the top is about.
        image_shape: (C, H, W) of the images; tiny ones make SSIM and Bhattacharyya say nothing.
        panels: statistics to show.
        pairing: which pairs of seeds the dots are about, as for `summarise`.
        title, note: heading, and what a reader must know (substitutes).

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
    figure = new_figure(1.3 + 0.62 * len(names), title, note, legend_height=0.35)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for panel, label, ax in zip(panels, labels, axes, strict=True):
        _draw_panel(ax, {name: summaries[name][panel] for name in names}, panel, k)
        heading = label.replace(" (", "\n(")
        if pearson_top:
            heading = heading.replace("(top of", f"(top {pearson_top:,} of")
        if panel == "overlap":
            of = f"\nof {candidates:,} images" if candidates else ""
            heading = f"Overlap of {k} selected{of}"
        elif panel == "bhattacharyya":
            heading += "\n(low: alike)"
        if panel in OF_IMAGES and image_shape and is_tiny(image_shape):
            heading += f"\nnot informative at {size_text(image_shape)}"
        ax.set_title(heading, fontsize=11)
    axes[0].set_yticks(range(len(names)), [score_label(name) for name in names])
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    count = max(
        len(summary.values) for of_score in summaries.values() for summary in of_score.values()
    )
    figure.legend(
        handles=_legend(count, pairing),
        loc="lower center",
        bbox_to_anchor=(0.5, note_height(note) / figure.get_figheight()),
        ncols=4,
    )
    return figure


def _draw_panel(axes: Axes, summaries: Mapping[str, StatisticSummary], panel: str, k: int) -> None:
    names = list(summaries)
    for row, summary in enumerate(summaries.values()):
        low, high = summary.chance_low, summary.chance_high
        if math.isfinite(high - low):
            band = Rectangle((low, row - SLOT / 2), high - low, SLOT, color=GREY, lw=0, zorder=0)
            axes.add_patch(band)
        ends = (row - SLOT / 2, row + SLOT / 2)
        axes.plot([summary.ceiling] * 2, ends, color="black", linewidth=2.5, zorder=1)
        if not math.isfinite(summary.mean):
            text = " undefined" if math.isnan(summary.mean) else " ∞"
            axes.text(0, row, text, va="center")
    axes.axvline(0, color="black", linewidth=0.8, zorder=0)
    axes.autoscale_view()
    values = pd.DataFrame(
        [(name, value) for name in names for value in summaries[name].values],
        columns=["score", "value"],
    )
    drawn = values[[math.isfinite(summaries[name].mean) for name in values["score"]]].dropna()
    # The range of everything but the intervals, which two seeds make wider than any frame.
    limits = [0.0, *drawn["value"], *axes.get_xlim()]
    if panel == "bhattacharyya":
        limits.append(1.05 * max(limits))
    else:  # all others have a largest value
        limits.append(1.03 * (k if panel == "overlap" else 1))
    seaborn = load_seaborn()
    common = {"x": "value", "y": "score", "order": names, "ax": axes, "orient": "h"}
    if not drawn.empty:
        seaborn.pointplot(
            drawn, hue="score", hue_order=names, palette=score_colours(names), legend=False,
            errorbar=interval_of_mean, linestyle="none", markersize=9, err_kws={"linewidth": 2},
            zorder=3, **common,
        )  # fmt: skip
        seaborn.stripplot(
            drawn, jitter=False, size=4.5, color="white", edgecolor="black", linewidth=1,
            zorder=4, **common,
        )  # fmt: skip
    axes.set(xlim=(min(limits), max(limits)), xlabel="", ylabel="")
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)


def _legend(count: int, pairing: str) -> list[Artist]:
    seeds = "seeds" if pairing == "same seed" else "pairs of seeds"
    one = "one seed" if pairing == "same seed" else "one pair of seeds"
    mean = f"mean of {count} {seeds}, 95% interval" if count > 1 else "one seed"
    return [
        Line2D([], [], color="#606060", marker="o", markersize=9, linewidth=2, label=mean),
        Line2D([], [], marker="o", color="white", markeredgecolor="black", markersize=5, label=one),
        Patch(facecolor=GREY, label="chance: 95% of cases"),
        Line2D([], [], color="black", linewidth=2.5, label="ceiling: same setting, two seeds"),
    ]
