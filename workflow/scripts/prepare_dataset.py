"""Turn a data source into the canonical store."""

from pathlib import Path

from gradval.data.sources import load_source
from gradval.data.store import write_store
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    folder = Path(snakemake.output[0]).parent
    store = load_source(snakemake.wildcards.dataset, snakemake.params.options, scratch=folder)
    write_store(store, folder)
