"""Turn a data source into the canonical store."""

from pathlib import Path

from gradval.datasets import load_source
from gradval.jobs import job
from gradval.store import write_store

with job(snakemake.log[0]):
    folder = Path(snakemake.output[0]).parent
    store = load_source(snakemake.wildcards.dataset, snakemake.params.options, scratch=folder)
    write_store(store, folder)
