"""Files of scores: one a score and run, `scores/<score>.parquet`."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from gradval.runtime.files import atomic_path

# Of a table of several scores side by side, before them.
SAMPLE_COLUMNS = ("index", "id", "label")
# Column of each `selection.scale`.
SCALES = {"raw": "value", "normalised": "normalised"}
# Of a table of a whole data set: beside each column `<score>` one of this ending.
NORMALISED = "_normalised"


def score_columns(table: pd.DataFrame) -> list[str]:
    """Names of the raw scores in a table of `gradval.scores.dataset.score_dataset`."""
    return [str(name) for name in table if f"{name}{NORMALISED}" in table]


def write_score(
    path: str | Path,
    ids: np.ndarray,
    labels: np.ndarray,
    values: np.ndarray,
    normalised: np.ndarray,
) -> None:
    """Write one score of every training sample.

    Args:
        path: `scores/<score>.parquet`.
        ids: `(N,)` text, in the order of the store.
        labels: `(N,)` integers.
        values: `(N,)` the score.
        normalised: `(N,)` the same within each class.
    """
    table = pd.DataFrame(
        {
            "index": range(len(labels)),
            "id": ids,
            "label": labels,
            "value": values,
            "normalised": normalised,
        }
    )
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(Path(path)) as temporary:
        table.to_parquet(temporary, index=False)


def write_side_by_side(
    path: str | Path, ids: np.ndarray, labels: np.ndarray, values: Mapping[str, np.ndarray]
) -> None:
    """Write several raw scores of every training sample into one table, a column a score.

    Args:
        path: of the table.
        ids, labels: as in `write_score`.
        values: name -> `(N,)`.
    """
    table = pd.DataFrame({"index": range(len(labels)), "id": ids, "label": labels, **values})
    with atomic_path(Path(path)) as temporary:
        table.to_parquet(temporary, index=False)


def read_score(path: str | Path, scale: str = "raw") -> np.ndarray:
    """One score of every training sample, `(N,)`; `scale` is "raw" or "normalised"."""
    values: np.ndarray = pd.read_parquet(path, columns=[SCALES[scale]])[SCALES[scale]].to_numpy()
    return values


def read_scores(paths: Iterable[str | Path], scale: str = "raw") -> pd.DataFrame:
    """Scores of one run side by side: index, id, label, and a column a score.

    Args:
        paths: the files of at least one score, all of the same samples.
        scale: "raw" or "normalised".

    Raises:
        ValueError: the files are not of the same samples.
    """
    tables = {path: pd.read_parquet(path) for path in map(Path, paths)}
    first = next(iter(tables))
    table = tables[first][["index", "id", "label"]].copy()
    for path, one in tables.items():
        if not table["id"].equals(one["id"]):
            raise ValueError(f"{path} and {first} are not of the same samples")
        table[path.stem] = one[SCALES[scale]]
    return table
