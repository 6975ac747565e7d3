"""Hold every number that the paper prints against what this config measured."""

from functools import partial
from pathlib import Path

import pandas as pd

from gradval.evidence import Evidence, RunSetting, build_scorecard, read_claims
from gradval.report.labels import labels_apart
from gradval.report.scorecard import Ran, write_scorecard
from gradval.runtime.jobs import job
from gradval.study.experiments import Comparison


def read_all(paths):
    return pd.concat([pd.read_csv(path) for path in paths]) if paths else pd.DataFrame()


def read_selections(paths):
    # The file is named after the comparison's folder: results/comparisons/{comparison}/...
    tables = [pd.read_csv(path).assign(comparison=path.split("/")[-2]) for path in paths]
    return pd.concat(tables) if tables else pd.DataFrame()


with job(snakemake.log[0]):
    files, output = snakemake.input, snakemake.output
    evidence = Evidence(
        statistics=read_all(files.statistics),
        selections=read_selections(files.selections),
        runs=pd.read_csv(files.pruned) if hasattr(files, "pruned") else pd.DataFrame(),
        full=pd.read_csv(files.full),
    )
    compared = map(Comparison.from_dict, snakemake.params.comparisons)
    comparisons = {comparison.name: comparison for comparison in compared}
    context = {name: RunSetting.of(comparison) for name, comparison in comparisons.items()}
    for claim, setting in snakemake.params.runs.items():
        context[claim] = None if setting is None else RunSetting(**setting)
    claims = read_claims(Path(snakemake.scriptdir).resolve().parents[1] / "paper/claims.csv")
    selection = snakemake.params.selection
    scorecard = build_scorecard(
        claims, evidence, context, partial(labels_apart, comparisons=comparisons)
    )
    write_scorecard(
        scorecard,
        [output.csv, output.md, output.html],
        claims,
        Ran(comparisons, selection["k"], selection["pearson_top"]),
    )
