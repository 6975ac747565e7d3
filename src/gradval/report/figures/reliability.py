"""How far one run can be trusted with one sample's score, and how many runs are enough."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from gradval.report.figures.dots import (
    LEGEND_HEIGHT,
    dot_handles,
    draw_dots,
    draw_legend,
    level_palette,
    setting_label,
)
from gradval.report.figures.style import check_columns, load_seaborn, new_figure, style
from gradval.study.names import IMAGE_SCORES, privacy_label, score_label, score_order

COLUMNS = ("dataset", "model", "privacy", "score", "scale", "runs_needed")
SEEN = "ranks"
TICKS = (1, 2, 5, 10, 20, 50, 100)


@style()
def plot_reliability(
    by_seed: pd.DataFrame, summary: pd.DataFrame, *, title: str = "", note: str = ""
) -> Figure:
    """Show the reliability of each score, and the runs whose mean is reliable (0.9).

    Args:
        by_seed: `gradval.evidence.reliability.reliability_by_seed`.
        summary: `summarise_reliability` of it.
        title, note: heading, and what a reader must know.

    Raises:
        ValueError: a column is missing.
    """
    check_columns(summary, COLUMNS, "the table")
    # Scores of images alone are the same in every run.
    shown = [name for name in score_order(summary["score"]) if name not in IMAGE_SCORES]
    scores = [score_label(name) for name in shown]
    palette = level_palette(sorted(set(summary["privacy"])))
    tables = [
        table[(table["scale"] == SEEN) & table["score"].isin(shown)].assign(
            level=table["privacy"].map(privacy_label), score=table["score"].map(score_label)
        )
        for table in (by_seed, summary)
    ]
    settings = list(tables[1].groupby(["dataset", "model"], sort=False))
    height = (0.9 + 0.4 * len(scores)) * len(settings)
    figure = new_figure(height, title, note, legend_height=LEGEND_HEIGHT)
    grid = figure.subplots(len(settings), 2, squeeze=False, sharey=True)
    for (left, right), (key, needed) in zip(grid, settings, strict=True):
        dataset, model = key
        own = (tables[0]["dataset"] == dataset) & (tables[0]["model"] == model)
        draw_dots(
            left, tables[0][own], x="value", y="score", order=scores, hue="level", palette=palette
        )
        left.set(xlim=(-0.03, 1.03), xlabel="intraclass correlation of ranks over seeds")
        left.axvline(0.9, color="black", linewidth=0.8, linestyle="--", zorder=0)
        left.set_title(setting_label(key))
        _draw_needed(right, needed, scores, palette)
        right.set_title(setting_label(key))
    draw_legend(figure, dot_handles(palette), note)
    return figure


def _draw_needed(
    axes: Axes, needed: pd.DataFrame, scores: list[str], palette: dict[str, str]
) -> None:
    """Bars of the number of runs, on a logarithmic axis that ends at the last tick."""
    shown = needed.assign(runs_needed=np.minimum(needed["runs_needed"], TICKS[-1]))
    load_seaborn().barplot(
        shown, x="runs_needed", y="score", hue="level", order=scores, hue_order=list(palette),
        palette=palette, saturation=1, errorbar=None, legend=False, orient="h", ax=axes,
    )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(TICKS, [*map(str, TICKS[:-1]), f"{TICKS[-1]}+"])
    axes.set(xlim=(0.9, TICKS[-1] * 1.1), ylabel="")
    axes.set_xlabel("runs whose mean has a reliability of 0.9")
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
