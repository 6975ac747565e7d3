"""Compose every private run of the study, by data set: what all of it cost together."""

from gradval.privacy.events import read_events
from gradval.report.privacy_cost import TITLE, Spent, cost_rows, cost_table
from gradval.report.tables import write_tables
from gradval.runtime.jobs import job
from gradval.study.names import run_key

with job(snakemake.log[0]):
    params, output = snakemake.params, snakemake.output
    found = {
        kind: snakemake.input.get(kind, []) for kind in ("full", "first", "pruned", "released")
    }
    spent = [
        Spent.of(run_key(path), kind, read_events(path))
        for kind, paths in (found | {"audit": params.audits}).items()
        for path in paths
    ]
    rows = cost_rows(spent, params.deltas, params.accountant)
    write_tables(
        [output.csv, output.md, output.html],
        [cost_table(rows, params.accountant, params.budgets, params.notice)],
        title=TITLE,
        data=rows,
    )
