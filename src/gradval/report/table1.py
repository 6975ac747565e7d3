"""Table 1 (`gradval.evidence.table1`) as a table for readers."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from gradval.evidence.table1 import EPSILONS, Paper
from gradval.privacy.ledger import EXACT_NOTICE, SEEDED_NOTICE
from gradval.report.labels import substitutes_label
from gradval.report.tables import Block, Column, Table, write_tables
from gradval.study.names import (
    CONTROLS,
    NON_PRIVATE,
    RELEASED,
    dataset_label,
    model_label,
    privacy_label,
    score_label,
    score_of,
    score_order,
)

CAPTION = "Test accuracy after removing the samples with the largest scores and resuming"
RELEASED_NOTE = (
    "“Released”: the samples with the largest scores as released under differential privacy were "
    "removed. ε covers training, the release of this one score and the choice together."
)
SELECTION_NOTE = (
    "The scores are computed from private data without noise: a selection from raw scores is "
    "itself not private. ε covers the training, not the choice of the removed samples."
)
EMPTY = "–"

Text = Callable[[str, str], str]  # of a cell, from privacy level and removal


def removal_table(
    accuracies: pd.DataFrame,
    *,
    paper: Paper | None = None,
    substitutes: str = "",
    caption: str = CAPTION,
) -> Table:
    """Table 1 in blocks of rows, one block a quantity, one row a privacy level.

    Args:
        accuracies: as returned by `gradval.evidence.table1.table1`.
        paper: the paper's values (`paper_table1`), shown for comparison.
        substitutes: what took the place of the paper's own, as "digits for cifar10"; empty if
            nothing did.
        caption: the heading.
    """
    removals = score_order(score_of(removal)[0] for removal in accuracies["removal"])
    levels = list(accuracies["privacy"].unique())
    rows = {(row.privacy, row.removal): row for row in accuracies.itertuples()}

    def measured(text: Callable[..., str], *columns: str) -> Text:
        def cell(privacy: str, removal: str) -> str:
            row = rows.get((privacy, removal))
            return EMPTY if row is None else text(*(getattr(row, name) for name in columns))

        return cell

    def printed(privacy: str, removal: str) -> str:
        return _fixed((paper or {}).get((privacy, removal), math.nan))

    quantities: dict[str, Text] = {
        "Test accuracy (%)": measured(_with_sd, "test_accuracy", "test_accuracy_sd"),
        "Test accuracy that the paper reports (%)": printed,
        "Difference from random removal (points, 95% confidence interval)": measured(
            _with_interval, "difference", "difference_low", "difference_high"
        ),
        "Train accuracy on the kept samples (%)": measured(_fixed, "train_accuracy"),
        "Training time / training time without removal": measured(_ratio, "relative_time"),
    }
    if set(EPSILONS) <= set(accuracies.columns):
        quantities["ε spent on kept / on removed samples"] = measured(_epsilons, *EPSILONS)
    blocks = [
        Block(frame, heading)
        for heading, text in quantities.items()
        if not (frame := _rows(levels, removals, text)).empty
    ]
    columns = [Column("Privacy"), *(Column(score_label(name), "interval") for name in removals)]
    substitutes = substitutes_label(substitutes) if substitutes else ""
    if substitutes:
        caption += f" (substitute: {substitutes})"
    return Table(caption, columns, blocks, _notes(accuracies, substitutes))


def write_table1(
    accuracies: pd.DataFrame,
    paths: Iterable[str | Path],
    *,
    paper: Paper | None = None,
    substitutes: str = "",
) -> None:
    """Write Table 1 to every path, in the form that its suffix names: .csv, .md, .tex or .html.

    The arguments are those of `removal_table`; a .csv file is long, with all columns.
    """
    data = accuracies.copy()
    if paper:
        cells = zip(data["privacy"], data["removal"], strict=True)
        data["paper"] = [paper.get(cell, math.nan) for cell in cells]
    data["substitutes"] = substitutes
    table = removal_table(accuracies, paper=paper, substitutes=substitutes)
    write_tables(paths, [table], title=table.caption, data=data, label="tab:removal")


def _rows(levels: list[str], removals: list[str], text: Text) -> pd.DataFrame:
    """A row a privacy level, and one for removals by released scores; empty rows are left out."""
    rows = []
    for privacy in levels:
        for suffix, kind in (("", ""), (RELEASED, ", released")):
            texts = [text(privacy, removal + suffix) for removal in removals]
            if set(texts) != {EMPTY}:
                rows.append([privacy_label(privacy) + kind, *texts])
    return pd.DataFrame(rows)


def _notes(accuracies: pd.DataFrame, substitutes: str) -> list[str]:
    fewest, most = accuracies["n"].min(), accuracies["n"].max()
    seeds = (
        f"{most} seed{'s' if most > 1 else ''}" if fewest == most else f"{fewest} to {most} seeds"
    )
    draws = accuracies["draws"].max()
    if draws > 1:
        seeds += f", each the mean of {draws} draws of sampling and noise"
    dataset, model = accuracies[["dataset", "model"]].iloc[0]
    run = f"Data set {dataset_label(dataset)}, model {model_label(model)}"
    notes = [f"{run}; mean" + (" ± standard deviation" if most > 1 else "") + f" over {seeds}."]
    if accuracies["difference_low"].notna().any():
        notes.append("Differences are paired by seed, with Student's t intervals.")
    private = accuracies["privacy"] != NON_PRIVATE
    by_score = accuracies[private & ~accuracies["removal"].isin(CONTROLS)]
    released = by_score["removal"].str.endswith(RELEASED)
    if not released.all():
        notes.append(SELECTION_NOTE)
    if released.any():
        notes.append(RELEASED_NOTE)
    if private.any():
        notes.append(EXACT_NOTICE)
    if "seeded" in accuracies and accuracies["seeded"].any():
        notes.append(SEEDED_NOTICE)
    if substitutes:
        notes.append(f"Substitute: {substitutes}; the numbers cannot be compared with the paper's.")
    return notes


def _fixed(value: float, decimals: int = 1) -> str:
    if math.isnan(value):
        return EMPTY
    # Adding zero turns a rounded -0.0 into 0.0.
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")


def _with_sd(mean: float, sd: float) -> str:
    return _fixed(mean) if math.isnan(sd) else f"{_fixed(mean)} ± {_fixed(sd)}"


def _with_interval(mean: float, low: float, high: float) -> str:
    return _fixed(mean) if math.isnan(low) else f"{_fixed(mean)} [{_fixed(low)}, {_fixed(high)}]"


def _ratio(value: float) -> str:
    return _fixed(value, 2)


def _epsilons(kept: float, removed: float) -> str:
    if math.isnan(kept) and math.isnan(removed):
        return EMPTY
    return f"{_ratio(kept)} / {_ratio(removed)}"
