"""Whether the choice between variants of a score matters."""

import pandas as pd
from matplotlib.figure import Figure

from gradval.report.figures.dots import (
    LEGEND_HEIGHT,
    dot_handles,
    draw_dots,
    draw_legend,
    setting_label,
)
from gradval.report.figures.style import check_columns, new_figure, style
from gradval.study.names import privacy_label, privacy_order, score_label

COLUMNS = (
    *("dataset", "model", "privacy", "score", "family", "variant"),
    *("statistic", "quantity", "seed", "value"),
)
# What is drawn in one row of panels, and the largest and smallest value of it.
STATISTICS = {
    "spearman": ("Spearman correlation", (-0.05, 1.03)),
    "overlap": ("overlap of the highest", (-0.03, 1.03)),
    "largest class": ("share of the most\nfrequent class", (-0.03, 1.03)),
}
ALONE = "in one run"
PALETTE = {
    "with the usual one": "#0072B2",
    "between seeds": "#E69F00",
    ALONE: "#000000",
}
QUANTITY_LABELS = {
    "with the usual one": "with the usual variant in the same run",
    "between seeds": "with itself under other initial weights",
    ALONE: "of the highest in one run",
}
VARIANT_LABELS = {"minmax": "min-max a class", "raw": "raw", "zscore": "z-score a class"}


@style()
def plot_variants(by_seed: pd.DataFrame, *, title: str = "", note: str = "") -> Figure:
    """Show the agreement of the variants of one family, a column a level, a row a statistic.

    Args:
        by_seed: rows of one family as `gradval.evidence.variants` gives them, one value a seed.
        title, note: heading, and what a reader must know.

    Raises:
        ValueError: a column is missing.
    """
    check_columns(by_seed, COLUMNS, "the table")
    several = by_seed["score"].nunique() > 1
    names = [
        f"{score_label(score)}, {VARIANT_LABELS.get(variant, variant)}"
        if several
        else VARIANT_LABELS.get(variant, variant)
        for score, variant in zip(by_seed["score"], by_seed["variant"], strict=True)
    ]
    rows = by_seed.assign(row=names)
    order = list(dict.fromkeys(names))
    levels = privacy_order(rows["privacy"])
    panels = [
        (key, statistic, part[part["statistic"] == statistic])
        for key, part in rows.groupby(["dataset", "model"], sort=False)
        for statistic in STATISTICS
        if (part["statistic"] == statistic).any()
    ]
    height = (0.95 + 0.3 * len(order)) * len(panels)
    figure = new_figure(height, title, note, legend_height=LEGEND_HEIGHT)
    grid = figure.subplots(len(panels), len(levels), squeeze=False, sharey=True)
    for line, (key, statistic, part) in zip(grid, panels, strict=True):
        label, limits = STATISTICS[statistic]
        palette = {name: PALETTE[name] for name in PALETTE if (part["quantity"] == name).any()}
        for axes, level in zip(line, levels, strict=True):
            shown = part[part["privacy"] == level]
            draw_dots(axes, shown, x="value", y="row", order=order, hue="quantity", palette=palette)
            low = min(limits[0], float(shown["value"].min()) - 0.03)
            axes.set(xlim=(low, limits[1]), xlabel=label)
            axes.set_title(f"{privacy_label(level)}\n{setting_label(key)}", fontsize=11)
    # In the panels of one run its dots are the first and only ones.
    used = [name for name in PALETTE if (rows["quantity"] == name).any()]
    pairs = {QUANTITY_LABELS[name]: PALETTE[name] for name in used if name != ALONE}
    alone = {QUANTITY_LABELS[name]: PALETTE[name] for name in used if name == ALONE}
    draw_legend(figure, [*dot_handles(pairs), *dot_handles(alone)], note)
    return figure
