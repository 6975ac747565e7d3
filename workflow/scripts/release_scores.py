"""Release every score of every training sample under differential privacy, with a ledger."""

import pandas as pd

from gradval.privacy.release import release, release_record, released_ledger
from gradval.runtime.files import atomic_path, read_json, write_json
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    params = snakemake.params
    scores = pd.read_parquet(snakemake.input.scores)
    # Positions alone: ids and labels are private.
    table = scores[["index"]].copy()
    bounds = {name: tuple(params.bounds[name]) for name in params.scores}
    records = {
        name: release_record(name, bounds[name], params.epsilon, len(scores)) for name in bounds
    }
    # Before anything is drawn: a second draw would be another release.
    ledger = released_ledger(read_json(snakemake.input.ledger), list(records.values()))
    for name in bounds:
        table[name] = release(scores[name], bounds[name], params.epsilon)
    with atomic_path(snakemake.output.scores) as temporary:
        table.to_parquet(temporary, index=False)
    write_json(snakemake.output.records, records)
    write_json(snakemake.output.ledger, ledger)
