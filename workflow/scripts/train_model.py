"""Train one model on everyone: a full run, or the first phase before pruning."""

from pathlib import Path

from gradval.data.store import open_store
from gradval.privacy.plan import phases_from_dict
from gradval.runtime.files import read_json
from gradval.runtime.jobs import job
from gradval.study.names import stream_name
from gradval.training.recipe import Recipe
from gradval.training.run import RunFiles, train_run

with job(snakemake.log[0]):
    wildcards, params, output = snakemake.wildcards, snakemake.params, snakemake.output
    files = RunFiles.in_folder(
        Path(output.weights).parent,
        checkpoints=True,
        observers=[name for name in ("free_scores",) if hasattr(output, name)],
    )
    train_run(
        open_store(Path(snakemake.input.store[0]).parent),
        model_options=params.model,
        recipe=Recipe.from_config(params.recipe),
        phase=phases_from_dict(read_json(snakemake.input.plan))[wildcards.phase],
        seed=int(wildcards.seed),
        draw=int(wildcards.draw),
        stream=stream_name(
            wildcards.dataset, wildcards.model, wildcards.privacy, wildcards.seed, wildcards.phase
        ),
        files=files,
        phase_name=wildcards.phase,
        secret_noise=params.secret_noise,
        code=params.code,
    )
    # The resume state stays until the run is scored: should this job be lost now, before Snakemake
    # has accepted its outputs, the next attempt has them back at once.
