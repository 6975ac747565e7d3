"""What class and plain looks of an image say of its score."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from gradval.report.figures.colours import GREY
from gradval.report.figures.dots import (
    LEGEND_HEIGHT,
    dot_handles,
    draw_dots,
    draw_legend,
    setting_label,
)
from gradval.report.figures.style import check_columns, load_seaborn, new_figure, style
from gradval.study.names import (
    IMAGE_SCORES,
    privacy_label,
    privacy_order,
    score_label,
    score_order,
)

COLUMNS = ("dataset", "model", "privacy", "score", "quantity", "seed", "value")
TERMS = {
    "class": ("the class", "#E69F00"),
    "image": ("brightness, contrast and edges", "#56B4E9"),
    "class and image": ("both", "#0072B2"),
}
REPEATABLE = "repeatable"


@style()
def plot_explained(by_seed: pd.DataFrame, *, title: str = "", note: str = "") -> Figure:
    """Show shares of the variance of scores, a panel a privacy level, a row of panels a model.

    Dots are what a regression explains within a run, mean over seeds with its 95% interval; the
    grey bar is what repeats under other initial weights. A class may explain more than repeats:
    runs may differ in the classes that they score high.

    Args:
        by_seed: `gradval.evidence.explained.explained_shares`, one value a seed.
        title, note: heading, and what a reader must know.

    Raises:
        ValueError: a column is missing.
    """
    check_columns(by_seed, COLUMNS, "the table")
    rows = by_seed[by_seed["quantity"].isin([*TERMS, REPEATABLE])]
    rows = rows[~rows["score"].isin(IMAGE_SCORES)]  # they explain themselves
    scores = [score_label(name) for name in score_order(rows["score"])]
    rows = rows.assign(percent=100 * rows["value"], score=rows["score"].map(score_label))
    levels = privacy_order(rows["privacy"])
    settings = list(rows.groupby(["dataset", "model"], sort=False))
    height = (0.9 + 0.36 * len(scores)) * len(settings)
    figure = new_figure(height, title, note, legend_height=LEGEND_HEIGHT)
    grid = figure.subplots(len(settings), len(levels), squeeze=False, sharey=True, sharex=True)
    palette = {name: colour for name, (_, colour) in TERMS.items()}
    for line, (key, part) in zip(grid, settings, strict=True):
        for axes, level in zip(line, levels, strict=True):
            shown = part[part["privacy"] == level]
            load_seaborn().barplot(
                shown[shown["quantity"] == REPEATABLE], x="percent", y="score", order=scores,
                errorbar=None, color=GREY, saturation=1, width=0.7, zorder=0, ax=axes,
            )  # fmt: skip
            draw_dots(
                axes, shown[shown["quantity"] != REPEATABLE], x="percent", y="score",
                order=scores, hue="quantity", palette=palette,
            )  # fmt: skip
            axes.axvline(0, color="black", linewidth=0.8, zorder=0)
            axes.set_xlim(min(-3.0, float(shown["percent"].min())), 103)
            axes.set_title(f"{privacy_label(level)}\n{setting_label(key)}", fontsize=11)
    for axes in grid[-1]:
        axes.set_xlabel("% of the variance\nof the score's ranks")
    handles = dot_handles(dict(TERMS.values()))
    handles.append(Patch(facecolor=GREY, label="repeats under other weights"))
    draw_legend(figure, handles, note)
    return figure
