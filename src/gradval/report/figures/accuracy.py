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

from gradval.report.figures.colours import score_colours
from gradval.report.figures.style import check_columns, load_seaborn, new_figure, style
from gradval.study.names import (
    NON_PRIVATE,
    model_label,
    privacy_label,
    privacy_order,
    score_label,
    score_of,
    score_order,
)

MARKERS = ("o", "s", "D", "^", "v", "X", "P", "*")
DASHES = ((7, 2), (5, 1.5, 1, 1.5), (2.5, 1.2), (4, 1, 1, 1, 1, 1))  # of private levels in turn
Fill = Literal["full", "none"]
GROUP = 0.72  # width of the points of one privacy level, whose distance is 1
LINK = "#8C8C8C"


@style()
def plot_table1(accuracies: pd.DataFrame, *, title: str = "", note: str = "") -> Figure:
    """Show the test accuracy after the samples with the largest scores were removed (Table 1).

    Groups are privacy levels, colours and markers what was removed; hollow marks are removals by
    released scores. Large marks are means over seeds, the points on them the seeds, each the mean
    of its draws. A thin line links the points of one seed, whose runs share their first phases:
    differences are paired. A dashed line continues the mean of random removal through its group.

    Args:
        accuracies: one row a run, with the columns privacy, removal (a score, "random" or "none"),
            seed, draw and test_accuracy (0 to 1).
        title, note: heading, and what a reader must know (substitutes).

    Raises:
        ValueError: a column is missing, a run occurs twice, an accuracy is not within 0 to 1, or a
            privacy level is unknown.
    """
    _check(accuracies, ["privacy", "removal", "seed", "draw"])
    by_seed = accuracies.groupby(["privacy", "removal", "seed"])["test_accuracy"].mean()
    accuracies = by_seed.reset_index()
    levels = privacy_order(accuracies["privacy"])
    removals = score_order(accuracies["removal"])
    step = min(0.18, GROUP / max(len(removals) - 1, 1))
    centre = (len(removals) - 1) / 2
    runs = accuracies.assign(
        percent=100 * accuracies["test_accuracy"],
        place=accuracies["privacy"].map(levels.index)
        + step * (accuracies["removal"].map(removals.index) - centre),
    )
    colours, marks = score_colours(removals), _removal_marks(removals)
    figure = new_figure(5.0, title, note)
    axes = figure.subplots()
    seaborn = load_seaborn()
    for group, level in enumerate(levels):
        of_level = runs[runs["privacy"] == level].sort_values("place")
        seaborn.lineplot(
            of_level, x="place", y="percent", units="seed", estimator=None, color=LINK,
            linewidth=0.8, ax=axes, zorder=1,
        )  # fmt: skip
        random = of_level.loc[of_level["removal"] == "random", "percent"]
        if len(random):
            ends = (group - GROUP / 2 - 0.06, group + GROUP / 2 + 0.06)
            axes.plot(ends, [random.mean()] * 2, "--", color=colours["random"], linewidth=1.4)
    for removal in removals:
        part = runs[runs["removal"] == removal]
        marker, fill = marks[removal]
        colour = colours[removal]
        means = part.groupby("place", as_index=False)["percent"].mean()
        seaborn.scatterplot(
            means, x="place", y="percent", marker=marker, s=110, ax=axes, zorder=3,
            facecolor=colour if fill == "full" else "white",
            edgecolor="black" if fill == "full" else colour, linewidth=0.8 if fill == "full" else 2,
        )  # fmt: skip
        seaborn.scatterplot(
            part, x="place", y="percent", marker="o", s=16, ax=axes, zorder=4, color="white",
            edgecolor="black", linewidth=0.9,
        )  # fmt: skip
    axes.set_xticks(range(len(levels)), [privacy_label(level) for level in levels])
    axes.set(xlim=(-0.55, len(levels) - 0.45), xlabel="", ylabel="test accuracy (%)")
    axes.tick_params(axis="x", length=0, labelsize=12)
    axes.grid(axis="y")
    for border in range(1, len(levels)):
        axes.axvline(border - 0.5, color="#B0B0B0", linewidth=0.8)
    handles = [
        Line2D(
            [], [], color=colours[name], marker=marks[name][0], fillstyle=marks[name][1],
            linestyle="", markersize=8, label=score_label(name),
        )
        for name in removals
    ]  # fmt: skip
    handles += _pairing_legend(colours["random"] if "random" in removals else None)
    _legend_beside(axes, handles, "mean, removed by")
    return figure


def _legend_beside(axes: Axes, handles: list[Line2D], title: str) -> None:
    """A legend to the right of axes, which the title of the figure does not reach."""
    axes.legend(
        handles=handles, title=title, loc="upper left", bbox_to_anchor=(1.01, 1.02), borderpad=0
    )


def _pairing_legend(random: str | None) -> list[Line2D]:
    handles = [
        Line2D([], [], color=LINK, linewidth=0.8, marker="o", markerfacecolor="white",
               markeredgecolor="black", markersize=5, label="one seed"),
    ]  # fmt: skip
    if random:
        handles.append(
            Line2D([], [], color=random, linestyle="--", label="mean of\nrandom removal")
        )
    return handles


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
    """Show the test accuracy over training, in a panel for each model, a line a privacy level.

    Thin lines are runs, thick ones the mean of those that have the epoch.

    Args:
        curves: one row an epoch of a run, with the columns model, privacy, seed, draw, epoch and
            test_accuracy (0 to 1); optionally constant, the accuracy of always answering the most
            frequent class of the test set, which gets a dotted line.
        title, note: heading, and what a reader must know (substitutes).

    Raises:
        ValueError: as in `plot_table1`.
    """
    _check(curves, ["model", "privacy", "seed", "draw", "epoch"])
    models = list(dict.fromkeys(curves["model"]))
    levels = privacy_order(curves["privacy"])
    percent = curves.assign(
        percent=100 * curves["test_accuracy"],
        run=curves["seed"].astype(str) + "/" + curves["draw"].astype(str),
    )
    columns = 2 if len(models) == 4 else min(3, len(models))
    rows = math.ceil(len(models) / columns)
    figure = new_figure(4.3 if rows == 1 else 0.4 + 2.6 * rows, title, note)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, model in zip(grid, models, strict=False):
        _draw_curves(axes, percent[percent["model"] == model], levels)
        axes.set_title(model_label(model))
    for axes in grid[::columns]:
        axes.set_ylabel("test accuracy (%)")
    for axes in grid[len(models) :]:
        axes.set_visible(False)
    colours, dashes = _privacy_looks(levels)
    handles = [
        Line2D([], [], color=colours[level], dashes=dashes[level] or (None, None), linewidth=2.5,
               label=privacy_label(level))
        for level in levels
    ]  # fmt: skip
    handles.append(Line2D([], [], color="black", linewidth=0.8, alpha=0.6, label="one run"))
    if "constant" in curves:
        handles.append(
            Line2D([], [], color="black", linestyle=":", label="always the most\nfrequent class")
        )
    _legend_beside(grid[columns - 1], handles, "privacy")
    return figure


def _draw_curves(axes: Axes, runs: pd.DataFrame, levels: list[str]) -> None:
    """One panel: runs, their means, and the constant answer."""
    colours, dashes = _privacy_looks(levels)
    looks = {
        **{"x": "epoch", "y": "percent", "hue": "privacy", "style": "privacy", "ax": axes},
        **{"hue_order": levels, "style_order": levels, "palette": colours, "dashes": dashes},
        **{"errorbar": None, "legend": False},
    }
    seaborn = load_seaborn()
    seaborn.lineplot(runs, units="run", estimator=None, linewidth=0.8, alpha=0.6, **looks)
    seaborn.lineplot(runs, estimator="mean", linewidth=2.5, **looks)
    if "constant" in runs:
        for share in runs["constant"].dropna().unique():
            axes.axhline(100 * share, color="black", linestyle=":", linewidth=1.2)
    axes.grid()
    axes.tick_params(labelbottom=True)
    axes.set(xlabel="epoch", ylabel="")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _privacy_looks(levels: list[str]) -> tuple[dict[str, str], dict[str, tuple[float, ...] | str]]:
    """Colour and dashes of each level: black without privacy, then lighter with weaker privacy."""
    private = [level for level in levels if level != NON_PRIVATE]
    shades = colormaps["viridis"](np.linspace(0.1, 0.85, len(private)))
    colours = {level: to_hex(shade) for level, shade in zip(private, shades, strict=True)}
    dashes = {level: DASHES[i % len(DASHES)] for i, level in enumerate(private)}
    return {NON_PRIVATE: "black", **colours}, {NON_PRIVATE: "", **dashes}


def _check(frame: pd.DataFrame, keys: list[str]) -> None:
    check_columns(frame, [*keys, "test_accuracy"], "the table")
    if frame.duplicated(keys).any():
        raise ValueError(
            f"the table must have one row for each {', '.join(keys)}; some occur twice"
        )
    if not frame["test_accuracy"].between(0, 1).all():
        raise ValueError("test_accuracy must lie between 0 and 1 in every row")
