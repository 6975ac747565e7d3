"""Score every training sample of a run by one or several scores."""

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
from gradval.scores.class_normalisation import normalise_per_class
from gradval.scores.files import write_score
from gradval.scores.parts import compute_in_parts
from gradval.scores.registry import load_score, options_of
from gradval.scores.samples import TensorSamples
from gradval.training.checkpoints import Checkpoints, load_weights
from gradval.training.resume import RESUME_FILE, remove_state

with job(snakemake.log[0]):
    params, files = snakemake.params, snakemake.input
    # The training that this run needs is accepted; nobody will resume it.
    remove_state(Path(files.weights).with_name(RESUME_FILE))
    device = job_device()
    store = open_store(Path(files.store[0]).parent)
    model = model_for(store, params.model).to(device)
    model.load_state_dict(load_weights(files.weights))
    images = NormalisedImages(store.train.images, store.mean, store.std, device)
    labels = torch.from_numpy(store.train.labels)
    options = params.options

    start = time.perf_counter()
    raw, _ = compute_in_parts(
        {name: load_score(choice) for name, choice in params.scores.items()},
        model,
        Checkpoints(files.checkpoints, model_for(store, params.model).to(device)),
        TensorSamples(images, labels),
        options={
            name: options_of(choice, params.score_options[name])
            for name, choice in params.scores.items()
        },
        sigma=read_events(files.events).noise_scale,
        batch_size=None if options["batch_size"] == "auto" else options["batch_size"],
        progress=True,
        # Should this job be lost, the next attempt goes on where it stopped.
        folder=Path(snakemake.output.timing).with_suffix(".unfinished"),
    )
    seconds = time.perf_counter() - start

    for path, values in zip(snakemake.output.scores, raw.values(), strict=True):
        normalised = normalise_per_class(values, labels, options["normalisation"])
        ids = store.train.ids
        write_score(path, ids, labels.numpy(), values.numpy(), normalised.numpy())
    write_json(snakemake.output.timing, {"scoring_seconds": seconds, "scores": list(raw)})
