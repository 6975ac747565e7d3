"""Keep the tables from which the scorecard can be computed again without training."""

from pathlib import Path

from gradval.evidence import RunSetting
from gradval.evidence.files import read_score_table, read_tables
from gradval.evidence.kept import KeptStudy, write_kept
from gradval.runtime.jobs import job
from gradval.study.experiments import Comparison

with job(snakemake.log[0]):
    files, params = snakemake.input, snakemake.params
    context = {c["name"]: RunSetting.of(Comparison.from_dict(c)) for c in params.comparisons}
    for claim, setting in params.runs.items():
        context[claim] = None if setting is None else RunSetting(**setting)
    by_dataset = {}
    for path in files.scores:
        by_dataset.setdefault(Path(path).parts[1], []).append(path)
    scores = {name: read_score_table(name, paths) for name, paths in by_dataset.items()}
    write_kept(
        KeptStudy(
            scores=[table for table, _ in scores.values()],
            tables=read_tables(
                statistics=files.statistics,
                selections=files.selections,
                runs=files.get("pruned", []),
                full=files.full,
            ),
            context=context,
            ids={name: ids for name, (_, ids) in scores.items()},
        ),
        snakemake.output.folder,
    )
