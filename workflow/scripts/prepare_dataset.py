"""Turn a data source into the canonical store."""

from pathlib import Path

from gradval.data.needs import Need, check_needs
from gradval.data.planted import plant
from gradval.data.sources import load_source
from gradval.data.store import class_counts, write_store
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    folder = Path(snakemake.output[0]).parent
    options = dict(snakemake.params.options)
    planted = options.pop("planted", None)
    store = plant(load_source(snakemake.wildcards.dataset, options, scratch=folder), planted)
    needs = [Need(**fields) for fields in snakemake.params.needs]
    check_needs(store.name, class_counts(store, "train"), needs)
    write_store(store, folder)
