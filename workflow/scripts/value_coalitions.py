"""Train a model of every coalition of sites, and value the sites by them."""

from pathlib import Path

import pandas as pd

from gradval.data.store import open_store
from gradval.federation.plan import federation_phase, scenario_from
from gradval.federation.sites import partition_sites
from gradval.federation.value import coalition_name, coalitions, train_coalition, values_table
from gradval.runtime.devices import job_device
from gradval.runtime.files import write_text
from gradval.runtime.jobs import job
from gradval.training.recipe import Recipe

with job(snakemake.log[0]):
    wildcards, params, output = snakemake.wildcards, snakemake.params, snakemake.output
    store, device = open_store(Path(snakemake.input.store[0]).parent), job_device()
    scenario = scenario_from(wildcards.scenario, params.scenario)
    sites = partition_sites(store, scenario, int(wildcards.seed))
    setting = params.setting
    phase = federation_phase(sum(map(len, sites)), setting["recipe"], setting["privacy"])
    utilities = {
        members: train_coalition(
            store,
            [sites[number] for number in members],
            model_options=setting["model"],
            recipe=Recipe.from_config(setting["recipe"]),
            phase=phase,
            seed=int(wildcards.seed),
            device=device,
        )
        for members in coalitions(range(len(sites)))
    }
    rows = [{"coalition": coalition_name(c), **vars(u)} for c, u in utilities.items()]
    write_text(output.utilities, pd.DataFrame(rows).to_csv(index=False))
    write_text(output.values, values_table(utilities).to_csv(index=False))
