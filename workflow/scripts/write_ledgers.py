"""Compose what was executed and state its epsilon: one ledger for each file of events."""

from gradval.privacy.events import read_events
from gradval.privacy.ledger import compose
from gradval.runtime.files import write_json
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    files, output = snakemake.input, snakemake.output
    for events, ledger in zip(files.events, output.ledgers, strict=True):
        try:
            write_json(ledger, compose(read_events(events), **snakemake.params.statement))
        except ValueError as error:
            raise ValueError(f"{ledger}: {error}") from error
