"""How well free scores agree with the exact ones, with and without privacy."""

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gradval.report.figures.accuracy import MARKERS
from gradval.report.figures.colours import score_colours
from gradval.report.figures.style import (
    check_columns,
    load_seaborn,
    new_figure,
    note_height,
    style,
)
from gradval.study.names import (
    dataset_label,
    model_label,
    privacy_label,
    privacy_order,
    score_label,
)

COLUMNS = (
    "dataset",
    "model",
    "privacy",
    "compared",
    "seed",
    "score",
    "spearman",
    "overlap",
    "chance",
)
GROUP = 0.8  # width of the marks of one privacy level, whose distance is 1
HEADROOM = 1.04  # above the largest possible value


@style()
def plot_free_scores(
    agreement: pd.DataFrame, *, k: int = 25, title: str = "", note: str = ""
) -> Figure:
    """Chart the agreement of free with exact scores, in a column of panels for each model.

    A large mark is the mean over seeds, a small dot a seed (the mean of its draws), and a black
    line how well the exact scores of two seeds agree; the dashed line is the overlap of random
    selections.

    Args:
        agreement: rows of `free_scores.csv`: dataset, model, privacy and the columns of
            `gradval.selection.free_score_agreement.free_score_agreement`.
        k: size of the selections, at which overlap ends.
        title, note: heading, and what a reader must know.

    Raises:
        ValueError: a column is missing, or a privacy level is unknown.
    """
    check_columns(agreement, COLUMNS, "the table")
    settings = agreement.groupby(["dataset", "model"], sort=False)
    colours = score_colours(agreement["score"])
    figure = new_figure(5.6, title, note, legend_height=0.35)
    panels = figure.subplots(2, len(settings), sharex="col", sharey="row", squeeze=False)
    for (upper, lower), (key, rows) in zip(panels.T, settings, strict=True):
        dataset, model = map(str, key)
        levels = privacy_order(rows["privacy"])
        for axes, statistic in ((upper, "spearman"), (lower, "overlap")):
            _draw_panel(axes, rows, statistic, levels, colours)
        upper.set_title(f"{model_label(model)}, {dataset_label(dataset)}")
        lower.axhline(rows["chance"].mean(), color="#606060", linewidth=0.8, linestyle="--")
        lower.set_xticks(range(len(levels)), [privacy_label(level) for level in levels])
        lower.set_ylim(0, HEADROOM * k)
        upper.set_ylim(min(0.0, agreement["spearman"].min()), HEADROOM)
    panels[0, 0].set_ylabel("Spearman correlation")
    panels[1, 0].set_ylabel(f"overlap of {k}")
    figure.legend(
        handles=_legend(colours),
        loc="lower center",
        bbox_to_anchor=(0.5, note_height(note) / figure.get_figheight()),
        ncols=len(colours) + 3,
    )
    return figure


def _draw_panel(
    axes: Axes, rows: pd.DataFrame, statistic: str, levels: list[str], colours: dict[str, str]
) -> None:
    width = GROUP / len(colours)
    seaborn = load_seaborn()
    free = rows[rows["compared"] == "free"]
    # The draws of a seed are one value: they share their initial weights.
    of_seeds = free.groupby(["privacy", "score", "seed"], sort=False)[statistic].mean()
    free = of_seeds.reset_index()
    common = {
        **{"x": "privacy", "y": statistic, "hue": "score", "order": levels, "ax": axes},
        **{"hue_order": list(colours), "legend": False},
    }
    for key, part in rows[rows["compared"] != "free"].groupby(["privacy", "score"]):
        level, score = map(str, key)
        place = levels.index(level) + (list(colours).index(score) + 0.5) * width - GROUP / 2
        ends = (place - 0.45 * width, place + 0.45 * width)
        axes.plot(ends, [part[statistic].mean()] * 2, color="black", linewidth=2.5, zorder=1)
    seaborn.pointplot(
        free, palette=colours, dodge=GROUP - width, errorbar=None, linestyle="none",
        markers=list(MARKERS[: len(colours)]), markersize=9, zorder=2, **common,
    )  # fmt: skip
    seaborn.stripplot(
        free, dodge=True, jitter=False, size=4.5, palette=["white"] * len(colours),
        edgecolor="black", linewidth=1, zorder=3, **common,
    )  # fmt: skip
    axes.grid(axis="y")
    axes.tick_params(axis="x", length=0)
    axes.set(xlabel="", ylabel="")


def _legend(colours: dict[str, str]) -> list[Artist]:
    return [
        *(
            Line2D([], [], marker=marker, markersize=9, linestyle="", color=colour, label=label)
            for marker, colour, label in zip(
                MARKERS, colours.values(), map(score_label, colours), strict=False
            )
        ),
        Line2D([], [], marker="o", color="white", markeredgecolor="black", label="one seed"),
        Line2D([], [], color="black", linewidth=2.5, label="exact scores of two seeds"),
        Line2D([], [], color="#606060", linewidth=0.8, linestyle="--", label="chance"),
    ]
