"""One private training by groups from the canonical store to its files."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from gradval.data.images import NormalisedImages
from gradval.data.store import Store
from gradval.models.architectures import model_for, parameter_count
from gradval.privacy.events import Events, write_events
from gradval.privacy.group_plan import GroupPlan, group_events
from gradval.runtime.devices import job_device
from gradval.runtime.files import atomic_path, write_json
from gradval.training.checkpoints import save_checkpoints, save_weights
from gradval.training.fingerprints import fingerprint_of, stream_fingerprint
from gradval.training.groups import GroupTrainer, members_of
from gradval.training.loop import TrainingData, TrainingResult
from gradval.training.recipe import Recipe
from gradval.training.resume import SAVE_EVERY_SECONDS
from gradval.training.run import RunFiles
from gradval.training.streams import secret_key, seeded_key


def train_groups(
    store: Store,
    *,
    model_options: Mapping[str, Any],
    recipe: Recipe,
    phase: GroupPlan,
    seed: int,
    stream: str,
    files: RunFiles,
    phase_name: str = "full",
    secret_noise: bool = False,
    draw: int = 0,
    code: str = "",
    progress: bool = True,
    save_every: float = SAVE_EVERY_SECONDS,
) -> TrainingResult:
    """Train by groups, or go on where an interrupted run stopped, and write every file of the run.

    Args:
        store: the data set, of which the groups of the training split are units.
        phase: the plan, by groups.
        model_options, recipe, seed, stream, files, phase_name, secret_noise, draw, code, progress,
            save_every: as in `gradval.training.run.train_run`.

    Raises:
        TrainingDiverged, ValueError, Interrupted: as `GroupTrainer`; no file is written.
        ValueError: a number of the phase is out of all range.
        OSError: a file cannot be written.
    """

    def events(executed: GroupPlan) -> Events:
        return group_events(
            executed, name=phase_name, clipping_norm=recipe.clipping_norm, secret=secret_noise
        )

    # Before anything is spent: what cannot be stated is not trained.
    events(phase)
    device, train = job_device(), store.train
    data = TrainingData(
        NormalisedImages(train.images, store.mean, store.std, device),
        torch.from_numpy(train.labels).to(device),
        NormalisedImages(store.test.images, store.mean, store.std, device),
        torch.from_numpy(store.test.labels).to(device),
    )
    model = model_for(store, model_options, seed).to(device)
    grouping = _digest(train.groups)
    inputs = stream_fingerprint(store, data, recipe, phase, model=model_options)
    trainer = GroupTrainer(
        model,
        data,
        phase,
        recipe,
        groups=train.groups,
        key=secret_key() if secret_noise else seeded_key(seed, draw, stream, inputs + grouping),
        resume_path=files.resume,
        fingerprint=fingerprint_of(
            store,
            data,
            recipe,
            phase,
            model=model_options,
            groups=grouping,
            seed=seed,
            draw=draw,
            stream=stream,
            secret=secret_noise,
            code=code,
            device=device.type,
        ),
        save_every=save_every,
        description=stream if progress else None,
    )
    result = trainer.run()
    save_weights(result.weights, files.weights)
    if files.checkpoints is not None:
        save_checkpoints(result.checkpoints, files.checkpoints)
    with atomic_path(files.metrics) as temporary:
        pd.DataFrame(result.metrics).to_csv(temporary, index=False)
    summary = _summary(result, phase, recipe, store, expected_images(train.groups, phase))
    write_json(
        files.summary,
        summary | {"parameters": parameter_count(model), "width": model_options.get("width")},
    )
    write_json(files.timing, {"training_seconds": result.seconds})
    # The steps that were executed, not those that were planned.
    write_events(files.events, events(replace(phase, steps=result.steps)))
    return result


def expected_images(groups: Sequence[str], phase: GroupPlan) -> float:
    """Expected number of images of a step."""
    taken = [min(len(members), phase.images_per_group) for members in members_of(groups)]
    return phase.sampling_rate * float(np.sum(taken))


def _summary(
    result: TrainingResult, phase: GroupPlan, recipe: Recipe, store: Store, images: float
) -> dict[str, Any]:
    return {
        "train_accuracy": result.train_accuracy,
        "test_accuracy": result.test_accuracy,
        "steps": result.steps,
        "samples": phase.samples,
        "groups": phase.groups,
        # Passes over the groups, in expectation.
        "epochs": result.steps * phase.sampling_rate,
        "sample_gradients": round(result.steps * images * recipe.multiplicity),
        "checkpoints": len(result.checkpoints),
        "image_size": store.train.images.shape[-1],
        "test_samples": len(store.test),
        "clipping": recipe.clipping,
    }


def _digest(groups: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(groups)).encode()).hexdigest()
