"""Turn a data source into the canonical store."""

from pathlib import Path

from gradval.datasets import load_source
from gradval.jobs import job
from gradval.store import write_store

with job(snakemake.log[0]):
    store = load_source(snakemake.wildcards.dataset, snakemake.params.options)
    write_store(store, Path(snakemake.output[0]).parent)
