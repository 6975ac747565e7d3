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
from gradval.scores.compute import score_samples
from gradval.scores.files import write_score
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
    raw = score_samples(
        model,
        Checkpoints(files.checkpoints, model_for(store, params.model).to(device)),
        images,
        labels,
        list(params.scores.values()),
        options=params.score_options,
        sigma=read_events(files.events).noise_scale,
        batch_size=None if options["batch_size"] == "auto" else options["batch_size"],
        progress=True,
    )
    seconds = time.perf_counter() - start

    for path, values in zip(snakemake.output.scores, raw.values(), strict=True):
        normalised = normalise_per_class(values, labels, options["normalisation"])
        ids = store.train.ids
        write_score(path, ids, labels.numpy(), values.numpy(), normalised.numpy())
    write_json(snakemake.output.timing, {"scoring_seconds": seconds, "scores": list(raw)})
