"""Hold every number that the paper prints against what this config measured."""

from functools import partial
from pathlib import Path

import pandas as pd

from gradval.evidence import Actual, Evidence, build_scorecard, read_claims
from gradval.report.labels import labels_apart
from gradval.report.scorecard import Ran, write_scorecard
from gradval.runtime.jobs import job


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
    actors = {
        name: None if parts is None else Actual(**parts)
        for name, parts in snakemake.params.actors.items()
    }
    definitions, selection = snakemake.params.comparisons, snakemake.params.selection
    claims = read_claims(Path(snakemake.scriptdir).parent / "claims.csv")
    scorecard = build_scorecard(
        claims, evidence, actors, partial(labels_apart, comparisons=definitions)
    )
    write_scorecard(
        scorecard,
        [output.csv, output.md, output.html],
        claims,
        Ran(definitions, selection["k"], selection["pearson_top"]),
    )
