"""Take a model that is trained already for the model of a run."""

from pathlib import Path

from gradval.data.store import open_store
from gradval.runtime.jobs import job
from gradval.training.brought import adopt_model
from gradval.training.run import RunFiles

with job(snakemake.log[0]):
    files, params = snakemake.input, snakemake.params
    adopt_model(
        open_store(Path(files.store[0]).parent),
        files.checkpoints,
        model_options=params.model,
        training=params.training,
        events=files.get("events"),
        files=RunFiles.in_folder(Path(snakemake.output.weights).parent, checkpoints=True),
    )
