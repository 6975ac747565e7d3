"""What removals of several sizes do to accuracy, beside random removal."""

import pandas as pd
from matplotlib.figure import Figure

from gradval.report.figures.accuracy import MARKERS
from gradval.report.figures.colours import score_colours
from gradval.report.figures.dots import LEGEND_HEIGHT, dot_handles, draw_legend, setting_label
from gradval.report.figures.style import check_columns, load_seaborn, new_figure, style
from gradval.report.figures.summary import interval_of_mean
from gradval.study.names import privacy_label, privacy_order, score_label

COLUMNS = (
    *("dataset", "model", "privacy", "score", "end", "scope", "fraction"),
    *("quantity", "seed", "value"),
)
ROWS = {
    "per 1,000 removed": "accuracy, points\nper 1,000 removed",
    "worst recall": "recall of the\nworst class, points",
}
ENDS = {"largest": "highest scores removed", "lowest": "lowest scores removed"}
SCOPES = {"class": "the same share of every class", "global": "over all classes"}
APART = 0.09  # between the scores at one dose, whose distance is 1


@style()
def plot_doses(by_seed: pd.DataFrame, *, title: str = "", note: str = "") -> Figure:
    """Show the effect of removals over their size, two rows a level, a column an end and scope.

    Args:
        by_seed: `gradval.evidence.doses.dose_effects`, one value a seed.
        title, note: heading, and what a reader must know.

    Raises:
        ValueError: a column is missing.
    """
    check_columns(by_seed, COLUMNS, "the table")
    colours = score_colours(by_seed["score"])
    doses = sorted(set(by_seed["fraction"]))
    order = [list(colours).index(score) - (len(colours) - 1) / 2 for score in by_seed["score"]]
    # Side by side, so that no interval hides another.
    place = by_seed["fraction"].map(doses.index) + APART * pd.Series(order, index=by_seed.index)
    rows = by_seed.assign(place=place)
    columns = list(rows[["scope", "end"]].drop_duplicates().itertuples(index=False, name=None))
    panels = [
        (key, level, quantity, part[(part["privacy"] == level) & (part["quantity"] == quantity)])
        for key, part in rows.groupby(["dataset", "model"], sort=False)
        for level in privacy_order(part["privacy"])
        for quantity in ROWS
    ]
    note = f"Differences from random removal of as many. {note}".strip()
    figure = new_figure(2.7 * len(panels), title, note, legend_height=LEGEND_HEIGHT)
    grid = figure.subplots(len(panels), len(columns), squeeze=False, sharex=True, sharey="row")
    for line, (key, level, quantity, part) in zip(grid, panels, strict=True):
        for axes, (scope, end) in zip(line, columns, strict=True):
            shown = part[(part["scope"] == scope) & (part["end"] == end)]
            axes.axhline(0, color="black", linewidth=0.8, zorder=0)
            load_seaborn().lineplot(
                shown, x="place", y="value", hue="score", hue_order=list(colours),
                palette=colours, style="score", style_order=list(colours), dashes=False,
                markers=list(MARKERS[: len(colours)]), errorbar=interval_of_mean,
                err_style="bars", legend=False, ax=axes,
            )  # fmt: skip
            axes.set_xticks(range(len(doses)), [f"{100 * dose:g}" for dose in doses])
            axes.set(xlabel="", ylabel=ROWS[quantity])
            where = f"{privacy_label(level)}, {setting_label(key)}"
            if quantity == next(iter(ROWS)):
                axes.set_title(f"{ENDS[end]},\n{SCOPES[scope]}\n{where}", fontsize=10)
            axes.grid(axis="y")
    for axes in grid[-1]:
        axes.set_xlabel("removed (%)")
    handles = dot_handles({score_label(name): colour for name, colour in colours.items()})
    draw_legend(figure, handles, note)
    return figure
