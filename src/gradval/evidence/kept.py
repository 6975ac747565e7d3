"""Kept evidence: the tables of a study from which its scorecard can be computed again.

Training takes hours, judging seconds. So what training made is kept once, small enough to be put
beside the code, and rules, statistics and pages can change without it being trained again:

- ``scores_<data set>.parquet``: the raw scores of every run in float32, one column a run and score,
  one row a training sample, with its id and label;
- ``statistics.parquet``, ``selections.parquet``: what was compared, also of images, which are not
  kept;
- ``runs.parquet``, ``full.parquet``: accuracies, sizes and gradients of pruned and of full runs;
- ``settings.json``: what was run for each claim.

Agreement across privacy levels is not kept, but computed from the scores. 40 runs with four scores
of 10,000 samples take about 6 MB.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from gradval.evidence.levels import RUN_KEY, ScoreTable, levels_by_seed
from gradval.evidence.results import Evidence, RunSetting
from gradval.evidence.verdict import build_scorecard
from gradval.runtime.files import atomic_path, write_json

TABLES = ("statistics", "selections", "runs", "full")
SETTINGS = "settings.json"
SCORES = "scores_{dataset}.parquet"
IDS, LABELS = "id", "label"
SEPARATOR = "/"


@dataclass(frozen=True)
class KeptStudy:
    """All that a scorecard is computed from.

    Attributes:
        scores: of every data set.
        tables: name of a part of `Evidence` (`TABLES`) -> the frame.
        context: what was run for what (`build_scorecard`).
        ids: data set -> names of its samples.
    """

    scores: Sequence[ScoreTable]
    tables: Mapping[str, pd.DataFrame]
    context: Mapping[str, RunSetting | None]
    ids: Mapping[str, Sequence[str]]

    def evidence(self) -> Evidence:
        """The evidence, with the agreement across levels computed from the scores."""
        levels = [levels_by_seed(table) for table in self.scores]
        return Evidence(
            **dict(self.tables),
            levels=pd.concat(levels, ignore_index=True) if levels else pd.DataFrame(),
        )


def write_kept(study: KeptStudy, folder: str | Path) -> dict[str, int]:
    """Write a study, replacing what is there.

    Returns:
        Name of each file -> its size in bytes.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table in study.scores:
        written.append(folder / SCORES.format(dataset=table.dataset))
        _write_scores(table, study.ids[table.dataset], written[-1])
    for name in TABLES:
        written.append(folder / f"{name}.parquet")
        with atomic_path(written[-1]) as temporary:
            study.tables[name].to_parquet(temporary, index=False, compression="zstd")
    written.append(folder / SETTINGS)
    context = {
        name: None if actual is None else asdict(actual) for name, actual in study.context.items()
    }
    write_json(written[-1], {"context": context})
    return {path.name: path.stat().st_size for path in written}


def read_kept(folder: str | Path) -> KeptStudy:
    """Read a study that `write_kept` wrote.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a score file is damaged (`ScoreTable`).
    """
    folder = Path(folder)
    settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    scores, ids = [], {}
    for path in sorted(folder.glob(SCORES.format(dataset="*"))):
        name = path.stem.removeprefix("scores_")
        table, ids[name] = _read_scores(name, path)
        scores.append(table)
    return KeptStudy(
        scores,
        {name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES},
        {
            name: None if parts is None else RunSetting(**parts)
            for name, parts in settings["context"].items()
        },
        ids,
    )


def recompute_scorecard(folder: str | Path, claims: pd.DataFrame) -> pd.DataFrame:
    """The scorecard of a kept study, without training anything (`build_scorecard`).

    Args:
        folder: as written by `write_kept`.
        claims: the claims table, which may have changed since.
    """
    study = read_kept(folder)
    return build_scorecard(claims, study.evidence(), study.context)


def _write_scores(table: ScoreTable, ids: Sequence[str], path: Path) -> None:
    names = [SEPARATOR.join(map(str, row)) for row in table.runs.itertuples(index=False)]
    columns = {IDS: pa.array(list(ids)), LABELS: pa.array(table.labels.astype(np.int32))}
    columns |= {
        name: pa.array(values.astype(np.float32))
        for name, values in zip(names, table.values, strict=True)
    }
    with atomic_path(path) as temporary:
        # Bytes of equal weight side by side compress floats best.
        pq.write_table(
            pa.table(columns),
            temporary,
            compression="zstd",
            compression_level=9,
            use_dictionary=False,
            column_encoding=dict.fromkeys(names, "BYTE_STREAM_SPLIT"),
        )


def _read_scores(dataset: str, path: Path) -> tuple[ScoreTable, list[str]]:
    columns = pq.read_table(path)
    names = [name for name in columns.column_names if name not in (IDS, LABELS)]
    runs = pd.DataFrame([name.split(SEPARATOR) for name in names], columns=list(RUN_KEY))
    values = np.stack([columns[name].to_numpy() for name in names])
    labels = columns[LABELS].to_numpy().astype(np.int64)
    runs = runs.astype({"seed": "int64", "draw": "int64"})
    return ScoreTable(dataset, labels, runs, values), columns[IDS].to_pylist()
