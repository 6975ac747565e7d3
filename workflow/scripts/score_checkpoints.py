"""Score every training sample of a run by scores that its checkpoints, or images alone, give."""

from pathlib import Path

import torch

from gradval.data.images import NormalisedImages
from gradval.data.store import open_store
from gradval.models.architectures import model_for
from gradval.privacy.events import read_events
from gradval.runtime.devices import job_device
from gradval.runtime.jobs import job
from gradval.scores.class_normalisation import normalise_per_class
from gradval.scores.files import write_score, write_side_by_side
from gradval.scores.parts import compute_in_parts
from gradval.scores.registry import load_score, options_of
from gradval.scores.run_facts import with_facts
from gradval.scores.samples import TensorSamples
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
    labels = torch.from_numpy(store.train.labels)
    facts = facts_of_run(store, Recipe.from_config(params.recipe), files.metrics)
    raw, _ = compute_in_parts(
        {name: load_score(choice) for name, choice in params.scores.items()},
        model,
        Checkpoints(files.checkpoints, model_for(store, params.model).to(device)),
        TensorSamples(images, labels),
        options={
            name: with_facts(options_of(choice, params.score_options[name]), facts)
            for name, choice in params.scores.items()
        },
        sigma=read_events(files.events).noise_scale,
        batch_size=None if params.options["batch_size"] == "auto" else params.options["batch_size"],
        progress=True,
        # Should this job be lost, the next attempt goes on where it stopped.
        folder=Path(snakemake.output[0]).with_suffix(".unfinished"),
    )
    if hasattr(snakemake.output, "variants"):
        found = {name: values.numpy() for name, values in raw.items()}
        write_side_by_side(snakemake.output.variants, store.train.ids, labels.numpy(), found)
    else:
        for path, values in zip(snakemake.output.scores, raw.values(), strict=True):
            normalised = normalise_per_class(values, labels, params.options["normalisation"])
            write_score(path, store.train.ids, labels.numpy(), values.numpy(), normalised.numpy())
