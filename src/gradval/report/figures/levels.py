"""What a privacy level changes in which samples score highest, beside noise and weights."""

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from gradval.report.figures.accuracy import MARKERS
from gradval.report.figures.colours import GREY, score_colours
from gradval.report.figures.style import (
    check_columns,
    load_seaborn,
    new_figure,
    note_height,
    style,
)
from gradval.report.figures.summary import interval_of_mean
from gradval.study.names import dataset_label, model_label, privacy_label, score_label

COLUMNS = (
    *("dataset", "model", "score", "statistic", "k", "privacy_a", "privacy_b", "quantity"),
    *("seed", "value", "chance", "chance_low", "chance_high"),
)
# What two runs with the same initial weights and different levels have in common, and the best to
# be expected of it.
QUANTITIES = {
    "across": ("across levels, same weights", "o", "full"),
    "draw_ceiling": ("draw ceiling: same level and weights", "s", "none"),
    "seed_ceiling": ("seed ceiling: same level, other weights", "D", "none"),
}
EFFECT = "effect"
USUAL_K = 25  # of the first two panels, if classes are large enough
GROUP = 0.5  # width of the marks of one place, whose distance is 1


@style()
def plot_levels(by_seed: pd.DataFrame, *, title: str = "", note: str = "") -> Figure:
    """Chart agreement and effect of privacy, in a row of three panels for each model.

    Left the agreement across two levels beside its ceilings, score by score, for that pair of
    levels whose effect is largest, mean of all scores; in the middle the effect of privacy (draw
    ceiling minus agreement across levels) for every pair; right that of the pair on the left, over
    k. Marks are means over initial weights with their 95% intervals, grey holds 95% of chance.

    Args:
        by_seed: as returned by `gradval.evidence.levels.levels_by_seed`, of any number of data
            sets; levels are in the order of the grid.
        title, note: heading, and what a reader must know.

    Raises:
        ValueError: a column is missing, or there is no effect to show (one draw or level).
    """
    check_columns(by_seed, COLUMNS, "the table")
    rows = by_seed[by_seed["statistic"] == "overlap"]
    rows = rows.assign(percent=100 * rows["value"], pair=_pairs(rows))
    if not (rows["quantity"] == EFFECT).any():
        raise ValueError("the table has no effect of privacy: it needs two draws and two levels")
    colours = score_colours(rows["score"])
    settings = list(rows.groupby(["dataset", "model"], sort=False))
    figure = new_figure(3.6 * len(settings), title, note, legend_height=0.55)
    grid = figure.subplots(len(settings), 3, squeeze=False, width_ratios=(1.1, 1, 1))
    for (left, middle, right), (key, part) in zip(grid, settings, strict=True):
        dataset, model = map(str, key)
        k, pair = _usual_size(part), _widest_pair(part)
        _draw_agreement(left, part[(part["k"] == k) & (part["pair"] == pair)], colours)
        left.set_title(f"{model_label(model)}, {dataset_label(dataset)}\n{pair}, k = {k}")
        effects = part[part["quantity"] == EFFECT]
        _draw_pairs(middle, effects[effects["k"] == k], colours)
        middle.set_title(f"effect of privacy\nk = {k}")
        _draw_curve(right, effects[effects["pair"] == pair], colours)
        right.set_title(f"effect of privacy\n{pair}")
    figure.legend(
        handles=_legend(colours),
        loc="lower center",
        bbox_to_anchor=(0.5, note_height(note) / figure.get_figheight()),
        ncols=4,
    )
    return figure


def _pairs(rows: pd.DataFrame) -> pd.Series:
    """Both levels of each row in words."""
    labels = {name: privacy_label(name) for name in {*rows["privacy_a"], *rows["privacy_b"]}}
    return rows["privacy_a"].map(labels) + " / " + rows["privacy_b"].map(labels)


def _usual_size(rows: pd.DataFrame) -> int:
    """The largest k up to `USUAL_K`, or the smallest that there is."""
    sizes = sorted(set(rows["k"]))
    return int(max([k for k in sizes if k <= USUAL_K], default=sizes[0]))


def _widest_pair(rows: pd.DataFrame) -> str:
    """The pair of levels with the largest effect, mean of all scores and k."""
    effects = rows[rows["quantity"] == EFFECT]
    return str(effects.groupby("pair", sort=False)["value"].mean().idxmax())


def _draw_agreement(axes: Axes, rows: pd.DataFrame, colours: dict[str, str]) -> None:
    """Agreement across levels and its ceilings, a group of marks a score."""
    scores, shown = list(colours), [q for q in QUANTITIES if (rows["quantity"] == q).any()]
    low, high = (100 * rows[name].iloc[0] for name in ("chance_low", "chance_high"))
    axes.axhspan(low, high, color=GREY, linewidth=0, zorder=0)
    seaborn = load_seaborn()
    step = GROUP / max(len(shown) - 1, 1)
    for number, quantity in enumerate(shown):
        _, marker, fill = QUANTITIES[quantity]
        offset = step * number - GROUP / 2
        for score in scores:
            part = rows[(rows["quantity"] == quantity) & (rows["score"] == score)]
            place = part.assign(place=scores.index(score) + offset)
            seaborn.lineplot(
                place, x="place", y="percent", estimator="mean", errorbar=interval_of_mean,
                err_style="bars", color=colours[score], marker=marker, markersize=8,
                markeredgecolor=colours[score], markeredgewidth=1.5,
                markerfacecolor=colours[score] if fill == "full" else "white",
                legend=False, ax=axes,
            )  # fmt: skip
    axes.set_xticks(range(len(scores)), [score_label(s).replace(" ", "\n") for s in scores])
    axes.set(xlim=(-0.5, len(scores) - 0.5), xlabel="", ylabel="common of k a class (%)")
    axes.set_ylim(0, 103)
    axes.grid(axis="y")
    axes.tick_params(axis="x", length=0)


def _draw_pairs(axes: Axes, rows: pd.DataFrame, colours: dict[str, str]) -> None:
    """The effect for every pair of levels, a row a pair."""
    load_seaborn().pointplot(
        rows, x="percent", y="pair", hue="score", hue_order=list(colours), palette=colours,
        dodge=GROUP, errorbar=interval_of_mean, linestyle="none", markersize=6,
        markers=list(MARKERS[: len(colours)]), err_kws={"linewidth": 1.5}, legend=False,
        orient="h", ax=axes,
    )  # fmt: skip
    axes.axvline(0, color="black", linewidth=0.8, zorder=0)
    axes.set(xlabel="draw ceiling − across (points)", ylabel="")
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)


def _draw_curve(axes: Axes, rows: pd.DataFrame, colours: dict[str, str]) -> None:
    """The effect over k."""
    load_seaborn().lineplot(
        rows, x="k", y="percent", hue="score", hue_order=list(colours), palette=colours,
        style="score", style_order=list(colours), markers=list(MARKERS[: len(colours)]),
        dashes=False, errorbar=interval_of_mean, err_style="bars", legend=False, ax=axes,
    )  # fmt: skip
    axes.axhline(0, color="black", linewidth=0.8, zorder=0)
    sizes = sorted(set(rows["k"]))
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(sizes, [str(k) for k in sizes])
    axes.set(xlabel="k, of each class", ylabel="draw ceiling − across (points)")
    axes.grid(axis="y")


def _legend(colours: dict[str, str]) -> list[Artist]:
    scores = [
        Line2D([], [], color=colour, marker=marker, label=score_label(name))
        for (name, colour), marker in zip(colours.items(), MARKERS, strict=False)
    ]
    quantities = []
    for text, marker, fill in QUANTITIES.values():
        line = Line2D([], [], color="#606060", linestyle="", marker=marker, label=text)
        line.set(fillstyle=fill)
        quantities.append(line)
    return [*scores, *quantities, Patch(facecolor=GREY, label="chance: 95% of cases")]
