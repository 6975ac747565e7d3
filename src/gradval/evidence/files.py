"""The files of a study as tables of evidence."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradval.evidence.levels import ScoreTable
from gradval.scores.files import SAMPLE_COLUMNS, read_score
from gradval.study.names import run_key


def read_score_table(dataset: str, paths: Sequence[str | Path]) -> tuple[ScoreTable, list[str]]:
    """The scores of all runs on a data set, raw and in float32, as they are kept.

    Args:
        dataset: its name.
        paths: `results/{dataset}/.../scores/{score}.parquet`, at least one.

    Returns:
        The table, and the ids of the samples.
    """
    runs = pd.DataFrame([{**run_key(path), "score": Path(path).stem} for path in paths])
    values = np.stack([read_score(path).astype(np.float32) for path in paths])
    samples = pd.read_parquet(paths[0], columns=["id", "label"])
    table = ScoreTable(dataset, samples["label"].to_numpy(), runs, values)
    return table, samples["id"].tolist()


def read_score_tables(paths: Sequence[str | Path]) -> list[ScoreTable]:
    """As `read_score_table`, one table a data set."""
    by_dataset: dict[str, list[str | Path]] = {}
    for path in paths:
        by_dataset.setdefault(str(run_key(path)["dataset"]), []).append(path)
    return [read_score_table(name, of_dataset)[0] for name, of_dataset in by_dataset.items()]


def read_variant_tables(paths: Sequence[str | Path]) -> list[ScoreTable]:
    """Scores that stand side by side in the files of their runs, one table a data set.

    Args:
        paths: `results/{dataset}/.../variants.parquet`, as `write_side_by_side` writes them.
    """
    runs: dict[str, list[dict[str, str | int]]] = {}
    values: dict[str, list[NDArray]] = {}
    labels = {}
    for path in paths:
        key, table = run_key(path), pd.read_parquet(path)
        dataset = str(key["dataset"])
        labels[dataset] = table["label"].to_numpy()
        for name in list(table)[len(SAMPLE_COLUMNS) :]:
            runs.setdefault(dataset, []).append({**key, "score": str(name)})
            values.setdefault(dataset, []).append(table[name].to_numpy(np.float32))
    return [
        ScoreTable(name, labels[name], pd.DataFrame(runs[name]), np.stack(values[name]))
        for name in labels
    ]


def read_csvs(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Several CSV files below each other; empty without any."""
    tables = [pd.read_csv(path) for path in paths]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def read_tables(
    *,
    statistics: Sequence[str | Path],
    selections: Sequence[str | Path],
    runs: Sequence[str | Path],
    full: Sequence[str | Path],
) -> dict[str, pd.DataFrame]:
    """The parts of `Evidence` that are kept (`gradval.evidence.kept.TABLES`).

    Args:
        statistics, selections: `results/comparisons/{comparison}/*.csv`.
        runs, full: `results/runs/pruned.csv` (or nothing) and `full.csv`.
    """
    # A file of selections is named after the comparison's folder.
    chosen = [pd.read_csv(path).assign(comparison=Path(path).parent.name) for path in selections]
    return {
        "statistics": read_csvs(statistics),
        "selections": pd.concat(chosen, ignore_index=True) if chosen else pd.DataFrame(),
        "runs": read_csvs(runs),
        "full": read_csvs(full),
    }
