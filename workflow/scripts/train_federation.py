"""Train the model that all sites of a federation share, on what they hold together."""

from dataclasses import replace
from pathlib import Path

from gradval.data.store import open_store
from gradval.federation.plan import federation_phase, scenario_from
from gradval.federation.sites import partition_sites, sites_table, union
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
    together = replace(store, train=union(sites))
    folder = Path(output.weights).parent
    train_run(
        together,
        model_options=params.setting["model"],
        recipe=Recipe.from_config(params.setting["recipe"]),
        phase=federation_phase(
            len(together.train), params.setting["recipe"], params.setting["privacy"]
        ),
        seed=seed,
        stream=f"federation/{scenario.name}",
        files=RunFiles.in_folder(folder, checkpoints=True),
        secret_noise=params.setting["secret_noise"],
        code=params.code,
    )
    remove_state(folder / RESUME_FILE)
