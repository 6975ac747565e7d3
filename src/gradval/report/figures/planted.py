"""Which scores find wrong labels and duplicates that were planted."""

import pandas as pd
from matplotlib.figure import Figure

from gradval.report.figures.dots import (
    LEGEND_HEIGHT,
    dot_handles,
    draw_dots,
    draw_legend,
    level_palette,
    setting_label,
)
from gradval.report.figures.style import check_columns, new_figure, style
from gradval.study.names import privacy_label, score_label, score_order

COLUMNS = (
    *("dataset", "model", "privacy", "score", "kind", "end", "statistic"),
    *("seed", "chance", "value"),
)
KIND_LABELS = {"wrong_labels": "wrong labels", "duplicates": "duplicates"}
END_LABELS = {"largest": "highest scores", "smallest": "lowest scores"}
STATISTIC_LABELS = {
    "auroc": "AUROC (0.5 by chance)",
    "precision": "share of planted samples among\nas many as were planted",
}


@style()
def plot_planted(by_seed: pd.DataFrame, *, title: str = "", note: str = "") -> Figure:
    """Show how well each score finds each planted kind, a row of panels a kind and model.

    Args:
        by_seed: `gradval.evidence.planted.planted_found`, one value a seed.
        title, note: heading, and what a reader must know.

    Raises:
        ValueError: a column is missing.
    """
    check_columns(by_seed, COLUMNS, "the table")
    rows = by_seed.assign(
        level=by_seed["privacy"].map(privacy_label), score=by_seed["score"].map(score_label)
    )
    scores = [score_label(name) for name in score_order(by_seed["score"])]
    palette = level_palette(sorted(set(by_seed["privacy"])))
    panels = list(rows.groupby(["dataset", "model", "kind"], sort=False))
    height = (0.9 + 0.4 * len(scores)) * len(panels)
    figure = new_figure(height, title, note, legend_height=LEGEND_HEIGHT)
    grid = figure.subplots(len(panels), len(STATISTIC_LABELS), squeeze=False, sharey=True)
    for line, (key, part) in zip(grid, panels, strict=True):
        *setting, kind = key
        for axes, (statistic, label) in zip(line, STATISTIC_LABELS.items(), strict=True):
            shown = part[part["statistic"] == statistic]
            axes.axvline(shown["chance"].mean(), color="black", linewidth=1, zorder=0)
            draw_dots(axes, shown, x="value", y="score", order=scores, hue="level", palette=palette)
            axes.set(xlim=(-0.02, 1.02), xlabel=label)
            end = END_LABELS[part["end"].iloc[0]]
            axes.set_title(f"{KIND_LABELS[str(kind)]} among the {end}\n{setting_label(setting)}")
    draw_legend(figure, dot_handles(palette), note)
    return figure
