"""One correlation matrix of all scores for each privacy level."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gradval.report.figures.dots import setting_label
from gradval.report.figures.style import check_columns, load_seaborn, new_figure, style
from gradval.study.names import privacy_label, privacy_order, score_label, score_order

COLUMNS = ("dataset", "model", "privacy", "score_a", "score_b", "value")


@style()
def plot_correlations(found: pd.DataFrame, *, title: str = "", note: str = "") -> Figure:
    """Show how alike all scores are, a matrix a privacy level, two matrices side by side.

    Args:
        found: `gradval.evidence.correlations.score_correlations`, means over seeds, of any number
            of data sets and models.
        title, note: heading, and what a reader must know.

    Raises:
        ValueError: a column is missing.
    """
    check_columns(found, COLUMNS, "the table")
    panels = [
        (key, level, part[part["privacy"] == level])
        for key, part in found.groupby(["dataset", "model"], sort=False)
        for level in privacy_order(part["privacy"])
    ]
    scores = score_order(found["score_a"])
    columns = min(2, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = new_figure(rows * (1.3 + 0.34 * len(scores)), title, note)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (key, level, part) in zip(grid, panels, strict=False):
        _draw_matrix(axes, part.pivot(index="score_a", columns="score_b", values="value"), scores)
        axes.set_title(f"{privacy_label(level)}\n{setting_label(key)}")
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    return figure


def _draw_matrix(axes: Axes, matrix: pd.DataFrame, scores: list[str]) -> None:
    """The lower triangle, whose diagonal says something of its own and is framed."""
    shown = matrix.reindex(index=scores, columns=scores)
    labels = shown.map(lambda value: "" if math.isnan(value) else f"{round(value, 2) + 0.0:.2f}")
    load_seaborn().heatmap(
        shown, mask=np.triu(np.ones(shown.shape, dtype=bool), 1) | shown.isna(), annot=labels,
        fmt="", annot_kws={"fontsize": 8}, cmap="RdBu_r", vmin=-1, vmax=1, square=False,
        linewidths=0.5, cbar=False, ax=axes,
    )  # fmt: skip
    for place in range(len(scores)):
        frame = Rectangle((place, place), 1, 1, fill=False, edgecolor="black", lw=1.2)
        axes.add_patch(frame).set_clip_on(False)
    names = [score_label(score) for score in scores]
    axes.set_xticklabels(names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticklabels(names, rotation=0)
    axes.tick_params(length=0)
    axes.set(xlabel="", ylabel="")
