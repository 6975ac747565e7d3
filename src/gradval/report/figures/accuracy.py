"""Table 1 as a figure, and learning curves."""

import math
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from gradval.report.figures.labels import (
    model_label,
    privacy_label,
    privacy_order,
    score_colours,
    score_label,
    score_order,
)
from gradval.report.figures.style import check_columns, new_figure, style
from gradval.study.names import NON_PRIVATE, score_of

MARKERS = ("o", "s", "D", "^", "v", "X", "P", "*")
Line = Literal["-", "--"]
Fill = Literal["full", "none"]
GROUP = 0.72  # width of the points of one privacy level, whose distance is 1


@style()
def plot_table1(accuracies: pd.DataFrame, *, title: str = "", note: str = "") -> Figure:
    """Show the test accuracy after the samples with the largest scores were removed (Table 1).

    Groups are privacy levels, colours and markers what was removed; hollow marks are removals by
    released scores. Large marks are means over seeds, the points beside them the seeds; a dashed
    line continues the mean of random removal through its group.

    Args:
        accuracies: one row a run, with the columns privacy, removal (a score, "random" or "none"),
            seed and test_accuracy (0 to 1).
        title, note: heading, and what a reader must know (stand-ins).

    Raises:
        ValueError: a column is missing, a run occurs twice, an accuracy is not within 0 to 1, or a
            privacy level is unknown.
    """
    _check(accuracies, ["privacy", "removal", "seed"])
    levels = privacy_order(accuracies["privacy"])
    removals = score_order(accuracies["removal"])
    colours = score_colours(removals)
    marks = _removal_marks(removals)
    percent = accuracies.assign(percent=100 * accuracies["test_accuracy"])
    runs = {key: rows["percent"] for key, rows in percent.groupby(["privacy", "removal"])}
    figure = new_figure(5.0, title, note)
    axes = figure.subplots()
    step = min(0.18, GROUP / max(len(removals) - 1, 1))
    for group, level in enumerate(levels):
        if (level, "random") in runs:
            mean = runs[level, "random"].mean()
            ends = (group - GROUP / 2, group + GROUP / 2)
            axes.plot(ends, (mean, mean), "--", color=colours["random"], linewidth=1)
        for number, removal in enumerate(removals):
            if (level, removal) in runs:
                x = group - (len(removals) - 1) * step / 2 + number * step
                percents = runs[level, removal]
                beside = [x + 0.38 * step] * len(percents)
                colour = colours[removal]
                axes.plot(beside, percents, "o", color=colour, markersize=4)
                marker, face = marks[removal]
                edge = "black" if face == "full" else colour
                axes.plot(
                    x,
                    percents.mean(),
                    marker,
                    color=colour,
                    markersize=9,
                    markeredgecolor=edge,
                    fillstyle=face,
                )
    axes.set_xticks(range(len(levels)), [privacy_label(level) for level in levels])
    axes.set(xlim=(-0.55, len(levels) - 0.45), ylabel="test accuracy (%)")
    axes.tick_params(axis="x", length=0, labelsize=12)
    axes.grid(axis="y")
    for border in range(1, len(levels)):
        axes.axvline(border - 0.5, color="#B0B0B0", linewidth=0.8)
    handles = [
        Line2D([], [], color=colours[n], marker=marks[n][0], fillstyle=marks[n][1], linestyle="")
        for n in removals
    ]
    labels = [score_label(name) for name in removals]
    figure.legend(handles, labels, loc="outside right upper", title="removed by")
    return figure


def _removal_marks(removals: list[str]) -> dict[str, tuple[str, Fill]]:
    """Marker and filling of each removal: a released score has that of the score, hollow."""
    scores = list(dict.fromkeys(score_of(removal)[0] for removal in removals))
    marks: dict[str, tuple[str, Fill]] = {}
    for removal in removals:
        score, released = score_of(removal)
        marker = MARKERS[scores.index(score) % len(MARKERS)]
        marks[removal] = marker, "none" if released else "full"
    return marks


@style()
def plot_learning_curves(curves: pd.DataFrame, *, title: str = "", note: str = "") -> Figure:
    """Show the test accuracy over training, in a panel for each model, a colour a privacy level.

    Thin lines are seeds, thick ones the mean of the seeds that have the epoch.

    Args:
        curves: one row an epoch of a run, with the columns model, privacy, seed, epoch and
            test_accuracy (0 to 1).
        title, note: heading, and what a reader must know (stand-ins).

    Raises:
        ValueError: as in `plot_table1`.
    """
    _check(curves, ["model", "privacy", "seed", "epoch"])
    models = list(dict.fromkeys(curves["model"]))
    levels = privacy_order(curves["privacy"])
    styles = _privacy_styles(levels)
    columns = 2 if len(models) == 4 else min(3, len(models))
    rows = math.ceil(len(models) / columns)
    figure = new_figure(4.3 if rows == 1 else 0.4 + 2.6 * rows, title, note)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, model in zip(grid, models, strict=False):
        runs = curves[curves["model"] == model]
        for level in levels:
            _draw_curves(axes, runs[runs["privacy"] == level], *styles[level])
        axes.set_title(model_label(model))
        axes.grid()
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in grid[::columns]:
        axes.set_ylabel("test accuracy (%)")
    for axes in grid[len(models) :]:
        axes.set_visible(False)
    handles = [Line2D([], [], color=c, linestyle=s, linewidth=2.5) for c, s in styles.values()]
    labels = [privacy_label(level) for level in levels]
    figure.legend(handles, labels, loc="outside right upper", title="privacy")
    return figure


def _draw_curves(axes: Axes, runs: pd.DataFrame, colour: str, line: Line) -> None:
    percent = 100 * runs.pivot(index="epoch", columns="seed", values="test_accuracy")
    for seed in percent:
        one = percent[seed].dropna()
        axes.plot(one.index, one, line, color=colour, linewidth=0.8, alpha=0.5)
    axes.plot(percent.index, percent.mean(axis=1), line, color=colour, linewidth=2.5)


def _privacy_styles(levels: list[str]) -> dict[str, tuple[str, Line]]:
    """Colour and line of each level: darker with more privacy, black and dashed without any."""
    private = [level for level in levels if level != NON_PRIVATE]
    shades = colormaps["viridis"](np.linspace(0.1, 0.85, len(private)))
    colours = {level: to_hex(shade) for level, shade in zip(private, shades, strict=True)}
    return {
        level: (colours[level], "-") if level in colours else ("black", "--") for level in levels
    }


def _check(frame: pd.DataFrame, keys: list[str]) -> None:
    check_columns(frame, [*keys, "test_accuracy"], "the table")
    if frame.duplicated(keys).any():
        raise ValueError(
            f"the table must have one row for each {', '.join(keys)}; some occur twice"
        )
    if not frame["test_accuracy"].between(0, 1).all():
        raise ValueError("test_accuracy must lie between 0 and 1 in every row")
