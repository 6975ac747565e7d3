"""Gather the audits of a study into one table."""

import pandas as pd

from gradval.report.audits import audit_markdown, audit_page, audit_table
from gradval.runtime.files import atomic_path, read_json, write_text
from gradval.runtime.jobs import job
from gradval.study.names import run_key

with job(snakemake.log[0]):
    output = snakemake.output
    audits = [{**run_key(path), **read_json(path)} for path in snakemake.input.audits]
    with atomic_path(output.csv) as temporary:
        pd.DataFrame(audits).to_csv(temporary, index=False)
    table = audit_table(audits)
    write_text(output.md, audit_markdown(table))
    write_text(output.html, audit_page(table))
