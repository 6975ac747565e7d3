"""The folder that `gradval score` leaves: exact scores, for their owner alone, and what was done.

- `scores.parquet` and `scores.csv`: the table of `gradval.scores.dataset.score_dataset`,
- `run.json`: data, model, checkpoints, options, versions and checksums; written last.
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from gradval.data.store import sha256_of
from gradval.runtime.files import private_path, read_json, write_json
from gradval.scores.files import score_columns

TABLE, TEXT, RUN = "scores.parquet", "scores.csv", "run.json"
LIBRARIES = ("gradval", "torch", "torchvision", "numpy", "pandas")


@dataclass(frozen=True)
class Results:
    """What a results folder holds.

    Attributes:
        folder: where it is.
        table: as `score_dataset` returns it.
        run: what was done.
    """

    folder: Path
    table: pd.DataFrame
    run: Mapping[str, Any]

    @property
    def scores(self) -> list[str]:
        """Names of the scores."""
        return score_columns(self.table)

    def check_score(self, name: str) -> str:
        """The name of a score that there is.

        Raises:
            ValueError: there is none of this name.
        """
        if name not in self.scores:
            raise ValueError(
                f"{self.folder}: has no score {name!r}; it has {', '.join(self.scores)}"
            )
        return name


def write_results(folder: str | Path, table: pd.DataFrame, run: Mapping[str, Any]) -> None:
    """Write a results folder; whoever reads it finds all of it or no `run.json`.

    Args:
        folder: made if need be.
        table: as `score_dataset` returns it.
        run: what was done, as plain values; versions and checksums are added.
    """
    folder = Path(folder)
    (folder / RUN).unlink(missing_ok=True)
    with private_path(folder / TABLE) as temporary:
        table.to_parquet(temporary, index=False)
    with private_path(folder / TEXT) as temporary:
        table.to_csv(temporary, index=False)
    write_json(
        folder / RUN,
        {
            **run,
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in LIBRARIES},
            },
            "sha256": {name: sha256_of(folder / name) for name in (TABLE, TEXT)},
        },
    )


def read_results(folder: str | Path) -> Results:
    """Read what `write_results` wrote.

    Raises:
        ValueError: there is no such folder, or its files are not of one and the same scoring; one
            line.
    """
    folder = Path(folder)
    if not (folder / RUN).is_file():
        raise ValueError(f"{folder}: holds no finished scores (no {RUN}); see gradval score")
    run = read_json(folder / RUN)
    checksum = run.get("sha256", {}).get(TABLE) if isinstance(run, dict) else None
    if checksum is None:
        raise ValueError(f"{folder / RUN}: is not what gradval score writes")
    if not (folder / TABLE).is_file() or sha256_of(folder / TABLE) != checksum:
        raise ValueError(f"{folder / TABLE}: missing, or not what {RUN} tells of; score again")
    return Results(folder, pd.read_parquet(folder / TABLE), run)
