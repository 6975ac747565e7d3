"""Gather the audits of a study into one table."""

import pandas as pd

from gradval.report.audits import TITLE, audit_table
from gradval.report.tables import write_tables
from gradval.runtime.files import read_json
from gradval.runtime.jobs import job
from gradval.study.names import run_key

with job(snakemake.log[0]):
    output = snakemake.output
    audits = [{**run_key(path), **read_json(path)} for path in snakemake.input.audits]
    write_tables(
        [output.csv, output.md, output.html],
        [audit_table(audits)],
        title=TITLE,
        data=pd.DataFrame(audits),
    )
