"""Score one shard of the training samples of a run by one or several scores."""

import time
from pathlib import Path

import torch

from gradval.data.images import NormalisedImages
from gradval.data.store import open_store
from gradval.models.architectures import model_for
from gradval.privacy.events import read_events
from gradval.runtime.devices import job_device
from gradval.runtime.files import write_json
from gradval.runtime.jobs import job
from gradval.scores.parts import compute_in_parts
from gradval.scores.registry import load_score, options_of
from gradval.scores.run_facts import with_facts
from gradval.scores.shards import Shard, write_shard
from gradval.training.checkpoints import Checkpoints, load_weights
from gradval.training.learning_rates import facts_of_run
from gradval.training.recipe import Recipe

with job(snakemake.log[0]):
    params, files = snakemake.params, snakemake.input
    device = job_device()
    store = open_store(Path(files.store[0]).parent)
    model = model_for(store, params.model).to(device)
    model.load_state_dict(load_weights(files.weights))
    images = NormalisedImages(store.train.images, store.mean, store.std, device)
    shard = Shard(
        images,
        torch.from_numpy(store.train.labels),
        int(snakemake.wildcards.shard),
        int(snakemake.wildcards.shards),
    )
    facts = facts_of_run(store, Recipe.from_config(params.recipe), files.metrics)
    batch_size = params.options["batch_size"]
    start = time.perf_counter()
    values, _ = compute_in_parts(
        {name: load_score(choice) for name, choice in params.scores.items()},
        model,
        Checkpoints(files.checkpoints, model_for(store, params.model).to(device)),
        shard,
        options={
            name: with_facts(options_of(choice, params.score_options[name]), facts)
            for name, choice in params.scores.items()
        },
        sigma=read_events(files.events).noise_scale,
        batch_size=None if batch_size == "auto" else batch_size,
        progress=True,
        # Should this job be lost, the next attempt goes on where it stopped.
        folder=Path(snakemake.output.values).with_suffix(".unfinished"),
    )
    seconds = time.perf_counter() - start
    write_shard(snakemake.output.values, {n: v.numpy() for n, v in values.items()}, shard.first)
    write_json(snakemake.output.timing, {"scoring_seconds": seconds})
