"""The accuracies of all runs as one page, each beside the constant answer."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from gradval.evidence.constant import ADVICE, no_better
from gradval.report.tables import Cell, Kind, Table, write_tables
from gradval.study.names import dataset_label, model_label, privacy_label, score_label

TITLE = "Accuracies"
INTRO = (
    "Constant answer: the share of the most frequent class of the test set. A run is better if the "
    "95% interval of its test accuracy (Wilson) lies above it."
)
KINDS: dict[str, Kind] = {
    **dict.fromkeys(("seed", "draw", "train accuracy", "test accuracy"), "number"),
    **dict.fromkeys(("95% interval",), "interval"),
    **dict.fromkeys(("constant answer", "seconds of training"), "number"),
}


def runs_table(runs: pd.DataFrame) -> Table:
    """A row a run.

    Args:
        runs: as `gradval.evidence.constant.beside_constant_answer` returns them.
    """
    rows = pd.DataFrame(_row(run) for run in runs.to_dict("records"))
    poor = no_better(runs)
    notes = [*(f"{sentence}." for sentence in poor), *([_advice()] if poor else [])]
    return Table.of(rows, TITLE, kinds=KINDS, notes=notes, intro=INTRO)


def write_runs(runs: pd.DataFrame, paths: Iterable[str | Path]) -> None:
    """Write the table to every path, in the form that its suffix names: .csv, .md or .html."""
    write_tables(paths, [runs_table(runs)], title=TITLE, data=runs)


def _advice() -> str:
    return f"Of a model that is no better {ADVICE}."


def _row(run: dict[object, object]) -> dict[str, object]:
    found = {str(name): value for name, value in run.items()}
    removal = {"removed by": score_label(str(found["removal"]))} if "removal" in found else {}
    better = Cell("yes", sign="✓", tone="good")
    return {
        "data set": dataset_label(str(found["dataset"])),
        "model": model_label(str(found["model"])),
        "privacy": privacy_label(str(found["privacy"])),
        **removal,
        "seed": str(found["seed"]),
        "draw": str(found["draw"]),
        "train accuracy": _percent(found["train_accuracy"]),
        "test accuracy": _percent(found["test_accuracy"]),
        "95% interval": (
            f"{_percent(found['test_accuracy_low'])} to {_percent(found['test_accuracy_high'])}"
        ),
        "constant answer": _percent(found["constant_accuracy"]),
        "better": better if found["better_than_constant"] else Cell("no", sign="✗", tone="poor"),
    }


def _percent(share: object) -> str:
    assert isinstance(share, float)
    return f"{100 * share:.1f} %"
