"""Release every score of every training sample under differential privacy, with a ledger."""

import pandas as pd

from gradval.files import atomic_path, read_json, write_json
from gradval.jobs import job
from gradval.privacy.release import release, release_record, released_ledger

with job(snakemake.log[0]):
    params = snakemake.params
    scores = pd.read_parquet(snakemake.input.scores)
    # Positions alone: ids and labels are private.
    table, records = scores[["index"]].copy(), {}
    for name in params.scores:
        bounds = tuple(params.bounds[name])
        table[name] = release(scores[name], bounds, params.epsilon)
        records[name] = release_record(name, bounds, params.epsilon, len(scores))
    with atomic_path(snakemake.output.scores) as temporary:
        table.to_parquet(temporary, index=False)
    write_json(snakemake.output.records, records)
    training = read_json(snakemake.input.ledger)
    write_json(snakemake.output.ledger, released_ledger(training, list(records.values())))
