"""The federation: published values against noise, and sites by what they are worth and are paid."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gradval.report.federation import PAY, method_label, planted_label
from gradval.report.figures.colours import score_colours
from gradval.report.figures.style import check_columns, load_seaborn, new_figure, style
from gradval.study.names import score_label

PANELS = {
    "kendall_accuracy": "agreement with Shapley values\n(Kendall's tau)",
    "paid_harmful": "harmful sites are paid, beyond\nequal shares (percentage points)",
    "auroc_planted": "planted sites found by their\npublished distribution (AUROC)",
}
CHANCE = {"kendall_accuracy": 0.0, "paid_harmful": 0.0, "auroc_planted": 0.5}


@style()
def plot_value_agreement(found: pd.DataFrame, *, title: str = "", note: str = "") -> Figure:
    """Show how well published means and distributions do, by the epsilon of their release.

    A row of panels a scenario, a line a score; bars are 95% intervals over seeds, drawn where they
    are within the panel; the grey line is chance.

    Args:
        found: as of `gradval.federation.judgement.summary`.
        title, note: heading, and what a reader must know.

    Raises:
        ValueError: a column is missing.
    """
    check_columns(found, ["scenario", "method", "rule", "epsilon", "measure", "mean"], "the table")
    shown = found[found["rule"].isin(["mean", "distance"])].copy()
    levels = sorted(shown["epsilon"].unique())
    shown["place"] = shown["epsilon"].map(levels.index)
    shown.loc[shown["measure"] == "paid_harmful", ["mean", "low", "high"]] *= 100
    scenarios = list(dict.fromkeys(shown["scenario"]))
    methods = list(dict.fromkeys(shown["method"]))
    colours = score_colours(methods)
    figure = new_figure(3.6 * len(scenarios), title or "What published scores say of sites", note)
    grid = figure.subplots(len(scenarios), len(PANELS), squeeze=False)
    for row, scenario in zip(grid, scenarios, strict=True):
        for axes, (measure, label) in zip(row, PANELS.items(), strict=True):
            part = shown[(shown["scenario"] == scenario) & (shown["measure"] == measure)]
            if part.empty:  # nothing was planted there
                axes.set_axis_off()
                continue
            axes.axhline(CHANCE[measure], color="#8C8C8C", linewidth=1)
            # Side by side, so that none hides another.
            for number, method in enumerate(methods):
                line = part[part["method"] == method].sort_values("place")
                place = line["place"] + 0.08 * (number - (len(methods) - 1) / 2)
                spread = np.array([line["mean"] - line["low"], line["high"] - line["mean"]])
                _, _, bars = axes.errorbar(
                    place, line["mean"], np.nan_to_num(spread), fmt="o-", markersize=5,
                    color=colours[method], elinewidth=1,
                )  # fmt: skip
                for bar in bars:
                    bar.set_alpha(0.5)
            names = ["∞" if np.isinf(level) else f"{level:g}" for level in levels]
            axes.set_xticks(range(len(levels)), names)
            axes.set(xlabel="ε of the statistic, ∞: no noise", ylabel=label, title=scenario)
            axes.set_ylim((-1.05, 1.05) if measure == "kendall_accuracy" else None)
            if measure == "auroc_planted":
                axes.set_ylim(-0.03, 1.03)
            axes.grid(axis="y")
    handles = [
        grid[0][0].plot([], [], "o-", color=colours[name], label=method_label(name))[0]
        for name in methods
    ]
    grid[0][-1].legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.02))
    return figure


@style()
def plot_site_pay(sites: pd.DataFrame, *, title: str = "", note: str = "") -> Figure:
    """Show every site by what it is worth and by what it is paid, a panel a score.

    Args:
        sites: as of `gradval.report.federation.paid_sites`, with the columns scenario and seed;
            scenarios share the panels.
        title, note: heading, and what a reader must know.

    Raises:
        ValueError: a column is missing.
    """
    check_columns(sites, ["planted", "shapley_accuracy"], "the table")
    pays = [column for column in map(str, sites) if column.startswith(PAY)]
    shown = sites.assign(
        worth_points=100 * sites["shapley_accuracy"], planted=sites["planted"].map(planted_label)
    )
    kinds = ["ordinary", *sorted(set(shown["planted"]) - {"ordinary"})]
    figure = new_figure(3.8, title or "What sites are worth, and what they would be paid", note)
    grid = figure.subplots(1, max(len(pays), 1), sharey=True, squeeze=False)[0]
    seaborn = load_seaborn()
    palette = dict(zip(kinds, seaborn.color_palette("colorblind", len(kinds)), strict=True))
    for axes, pay in zip(grid, pays, strict=False):
        percent = shown.assign(percent=100 * shown[pay])
        seaborn.scatterplot(
            percent, x="worth_points", y="percent", hue="planted", style="planted",
            hue_order=kinds, style_order=kinds, palette=palette, s=60,
            legend=axes is grid[-1], ax=axes,
        )  # fmt: skip
        axes.set(
            title=score_label(pay.removeprefix(PAY)),
            xlabel="Shapley value\n(points of test accuracy)",
            ylabel="paid (% of the reward)",
        )
        axes.grid()
    if pays:
        grid[-1].legend(title="", loc="upper left", bbox_to_anchor=(1.01, 1.02))
    return figure
