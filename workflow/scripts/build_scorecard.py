"""Hold every number that the paper prints against what this config measured."""

from functools import partial
from pathlib import Path

from gradval.evidence import Evidence, RunSetting, build_scorecard, read_claims
from gradval.evidence.constant import no_better
from gradval.evidence.files import read_csvs, read_tables
from gradval.privacy.ledger import EXACT_NOTICE
from gradval.report.labels import labels_apart
from gradval.report.scorecard import Ran, write_scorecard
from gradval.runtime.jobs import job
from gradval.study.experiments import Comparison

with job(snakemake.log[0]):
    files, output = snakemake.input, snakemake.output
    tables = read_tables(
        statistics=files.statistics,
        selections=files.selections,
        runs=files.get("pruned", []),
        full=files.full,
    )
    evidence = Evidence(**tables, levels=read_csvs(files.levels))
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
        [notice for notice in (EXACT_NOTICE, snakemake.params.notice) if notice],
        notes=[f"{sentence}: its scores say little." for sentence in no_better(tables["full"])],
    )
