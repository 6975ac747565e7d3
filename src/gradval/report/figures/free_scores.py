"""How well free scores agree with the exact ones, with and without privacy."""

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gradval.report.figures.labels import (
    dataset_label,
    model_label,
    privacy_label,
    privacy_order,
    score_colours,
    score_label,
)
from gradval.report.figures.style import check_columns, new_figure, note_height, style

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
GROUP = 0.8  # width of the bars of one privacy level, whose distance is 1
HEADROOM = 1.04  # above the largest possible value


@style()
def plot_free_scores(
    agreement: pd.DataFrame, *, k: int = 25, title: str = "", note: str = ""
) -> Figure:
    """Chart the agreement of free with exact scores, in a column of panels for each model.

    A bar is the mean over seeds, a point a seed, and a black line how well the exact scores of two
    seeds agree; the dashed line is the overlap of random selections.

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
    axes.grid(axis="y")
    axes.tick_params(axis="x", length=0)
    width = GROUP / len(colours)
    for key, part in rows.groupby(["privacy", "score", "compared"]):
        level, score, compared = map(str, key)
        place = levels.index(level) + (list(colours).index(score) + 0.5) * width - GROUP / 2
        values, mean = part[statistic], part[statistic].mean()
        if compared != "free":
            ends = (place - width / 2, place + width / 2)
            axes.plot(ends, (mean, mean), color="black", linewidth=2.5, zorder=4)
            continue
        axes.bar(place, mean, 0.9 * width, color=colours[score])
        axes.plot(
            [place] * len(values),
            values,
            "o",
            color="white",
            markeredgecolor="black",
            markersize=4.5,
            zorder=5,
        )


def _legend(colours: dict[str, str]) -> list[Artist]:
    return [
        *(Patch(facecolor=colour, label=score_label(name)) for name, colour in colours.items()),
        Line2D([], [], marker="o", color="white", markeredgecolor="black", label="one seed"),
        Line2D([], [], color="black", linewidth=2.5, label="exact scores of two seeds"),
        Line2D([], [], color="#606060", linewidth=0.8, linestyle="--", label="chance"),
    ]
