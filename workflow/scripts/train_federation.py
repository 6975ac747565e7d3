"""Train the model that all sites of a federation share, on what they hold together."""

from dataclasses import replace
from pathlib import Path

from gradval.data.store import open_store
from gradval.federation.accounts import write_site_events
from gradval.federation.plan import federation_phase, scenario_from
from gradval.federation.sites import partition_sites, sites_table, union
from gradval.federation.training import train_sites
from gradval.privacy.events import read_events
from gradval.runtime.files import write_text
from gradval.runtime.jobs import job
from gradval.training.recipe import Recipe
from gradval.training.resume import RESUME_FILE, remove_state
from gradval.training.run import RunFiles, train_run

with job(snakemake.log[0]):
    wildcards, params, output = snakemake.wildcards, snakemake.params, snakemake.output
    store, seed = open_store(Path(snakemake.input.store[0]).parent), int(wildcards.seed)
    scenario = scenario_from(wildcards.scenario, params.scenario)
    sites = partition_sites(store, scenario, seed)
    write_text(output.sites, sites_table(sites, store.classes).to_csv(index=False))
    folder, setting = Path(output.weights).parent, params.setting
    shared = {
        "model_options": setting["model"],
        "recipe": Recipe.from_config(setting["recipe"]),
        "phase": federation_phase(sum(map(len, sites)), setting["recipe"], setting["privacy"]),
        "seed": seed,
        "stream": f"federation/{scenario.name}",
        "files": RunFiles.in_folder(folder, checkpoints=True),
        "secret_noise": setting["secret_noise"],
        "code": params.code,
    }
    if params.training == "central":
        train_run(replace(store, train=union(sites)), **shared)
        executed = dict.fromkeys((site.name for site in sites), read_events(output.events))
    else:
        method = {"method": params.training, "local_steps": params.local_steps}
        executed = train_sites(store, sites, **method, **shared)
    write_site_events(output.site_events, executed)
    remove_state(folder / RESUME_FILE)
