"""Train one model: a private one with groups as units, any other one on samples."""

from pathlib import Path

from gradval.data.store import open_store
from gradval.privacy.group_plan import GroupPlan, plan_from_dict
from gradval.runtime.files import read_json
from gradval.runtime.jobs import job
from gradval.study.names import stream_name
from gradval.training.group_run import train_groups
from gradval.training.recipe import Recipe
from gradval.training.run import RunFiles, train_run

with job(snakemake.log[0]):
    wildcards, params, output = snakemake.wildcards, snakemake.params, snakemake.output
    phase = plan_from_dict(read_json(snakemake.input.plan)[wildcards.phase])
    train = train_groups if isinstance(phase, GroupPlan) else train_run
    train(
        open_store(Path(snakemake.input.store[0]).parent),
        model_options=params.model,
        recipe=Recipe.from_config(params.recipe),
        phase=phase,
        seed=int(wildcards.seed),
        draw=int(wildcards.draw),
        stream=stream_name(
            wildcards.dataset, wildcards.model, wildcards.privacy, wildcards.seed, wildcards.phase
        ),
        files=RunFiles.in_folder(Path(output.weights).parent, checkpoints=True),
        phase_name=wildcards.phase,
        secret_noise=params.secret_noise,
        code=params.code,
    )
