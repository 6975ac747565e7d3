"""Score every training sample of a run."""

import time
from pathlib import Path

import pandas as pd
import torch

from gradval.data.images import NormalisedImages
from gradval.data.store import open_store
from gradval.models.architectures import model_for
from gradval.privacy.events import read_events
from gradval.runtime.devices import job_device
from gradval.runtime.files import atomic_path, write_json
from gradval.runtime.jobs import job
from gradval.scores import normalise_per_class, score_samples
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
        params.scores,
        sigma=read_events(files.events).noise_scale,
        vog_target=options["vog_target"],
        vog_statistic=options["vog_statistic"],
        vog_channels=options["vog_channels"],
        batch_size=None if options["batch_size"] == "auto" else options["batch_size"],
        progress=True,
    )
    seconds = time.perf_counter() - start

    table = pd.DataFrame({"index": range(len(labels)), "id": store.train.ids, "label": labels})
    for name, values in raw.items():
        table[name] = values.numpy()
    for name, values in raw.items():
        normalised = normalise_per_class(values, labels, options["normalisation"])
        table[f"{name}_normalised"] = normalised.numpy()
    with atomic_path(Path(snakemake.output.scores)) as temporary:
        table.to_parquet(temporary, index=False)
    write_json(snakemake.output.timing, {"scoring_seconds": seconds, "scores": list(raw)})
