"""One training run from the canonical store to its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch

from gradval.data.images import NormalisedImages
from gradval.data.store import Split, Store, sha256_of
from gradval.models.architectures import model_for, parameter_count
from gradval.privacy.events import Events, Selection, extended, training_event, write_events
from gradval.privacy.plan import PhasePlan
from gradval.runtime.devices import job_device
from gradval.runtime.files import atomic_path, write_json
from gradval.training.checkpoints import load_weights, save_checkpoints, save_weights
from gradval.training.fingerprints import fingerprint_of, stream_fingerprint
from gradval.training.loop import Trainer, TrainingData, TrainingResult
from gradval.training.observers import Observer
from gradval.training.recipe import Recipe
from gradval.training.resume import RESUME_FILE, SAVE_EVERY_SECONDS
from gradval.training.streams import secret_key, seeded_key


@dataclass(frozen=True)
class RunFiles:
    """Where a run writes.

    Attributes:
        events: what led to the weights, see `gradval.privacy.events`.
        checkpoints: `None` for a run whose checkpoints are not kept.
        observed: name of an observer (`gradval.training.observers`) -> table of its scores.
    """

    weights: Path
    metrics: Path
    summary: Path
    timing: Path
    events: Path
    resume: Path
    checkpoints: Path | None = None
    observed: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def in_folder(
        cls, folder: Path, *, checkpoints: bool = False, observers: Sequence[str] = ()
    ) -> Self:
        """The usual names in one folder."""
        return cls(
            weights=folder / "weights.safetensors",
            metrics=folder / "metrics.csv",
            summary=folder / "summary.json",
            timing=folder / "timing.json",
            events=folder / "events.json",
            resume=folder / RESUME_FILE,
            checkpoints=folder / "checkpoints.safetensors" if checkpoints else None,
            observed={name: folder / f"{name}.parquet" for name in observers},
        )


def train_run(
    store: Store,
    *,
    model_options: Mapping[str, Any],
    recipe: Recipe,
    phase: PhasePlan,
    seed: int,
    stream: str,
    files: RunFiles,
    phase_name: str = "full",
    before: Events | None = None,
    selection: Selection = "none",
    secret_noise: bool = False,
    kept: np.ndarray | None = None,
    initial_weights: Path | None = None,
    draw: int = 0,
    code: str = "",
    progress: bool = True,
    save_every: float = SAVE_EVERY_SECONDS,
) -> TrainingResult:
    """Train, or go on where an interrupted run stopped, and write every file of the run.

    Args:
        store: the data set.
        model_options: as in `gradval.models.architectures.model_for`.
        recipe, phase: hyper-parameters and plan.
        seed: fixes the initial weights, for every privacy level of a model alike.
        stream: names the run; sampling, noise and augmentation of two runs are independent.
        files: where to write; the caller removes the resume state (`remove_state`) once nothing can
            fail any more. Those observe for whose scores there is a place.
        phase_name: name of the phase in the events.
        before: what led to `initial_weights`, and to the choice of the samples.
        selection: what the samples were chosen by.
        secret_noise: whether noise, sampling and augmentation of a private run are drawn from the
            operating system's entropy, rather than from the seed.
        kept: indices of the training samples to train on; all by default.
        initial_weights: file to start from instead of fresh weights.
        draw: fixes sampling, noise and augmentation, together with seed, name, data and plan;
            runs of several draws begin with the same weights. Not used by a run with secret noise.
        code: digest of the code; a resume state of other code is not used.
        progress: whether to show a progress bar.
        save_every: seconds between two writes of the resume state.

    Raises:
        TrainingDiverged, ValueError, Interrupted: as `Trainer`; no file of the run is written.
        ValueError: the phase does not go together with what came before, or is out of all range
            (`gradval.privacy.events`).
        OSError: a file cannot be written.
    """
    secret = secret_noise and phase.noise_multiplier is not None

    def events(executed: PhasePlan) -> Events:
        event = training_event(
            executed,
            name=phase_name,
            clipping_norm=recipe.clipping_norm,
            secret=secret,
            selection=selection,
        )
        return extended(before, event)

    # Before anything is spent: what cannot be stated is not trained.
    events(phase)
    device = job_device()
    data = _training_data(store, kept, device)
    model = model_for(store, model_options, seed).to(device)
    if initial_weights is not None:
        model.load_state_dict(load_weights(initial_weights))
    start = None if initial_weights is None else sha256_of(initial_weights)
    fingerprint = fingerprint_of(
        store,
        data,
        recipe,
        phase,
        model=model_options,
        initial_weights=start,
        seed=seed,
        draw=draw,
        stream=stream,
        secret=secret,
        observers=list(files.observed),
        code=code,
        device=device.type,
    )
    inputs = stream_fingerprint(
        store, data, recipe, phase, model=model_options, initial_weights=start
    )
    trainer = Trainer(
        model,
        data,
        phase,
        recipe,
        key=secret_key() if secret else seeded_key(seed, draw, stream, inputs),
        observers=tuple(files.observed),
        resume_path=files.resume,
        fingerprint=fingerprint,
        save_every=save_every,
        description=stream if progress else None,
    )
    result = trainer.run()
    sizes = {
        "parameters": parameter_count(model),
        "width": model_options.get("width"),
        "image_size": store.train.images.shape[-1],
        "test_samples": len(store.test),
    }
    _write(result, phase, recipe, files, sizes)
    # The steps that were executed, not those that were planned.
    write_events(files.events, events(replace(phase, steps=result.steps)))
    train = store.train if kept is None else store.train.subset(kept)
    for name, path in files.observed.items():
        _write_observed(result.observers[name], train, path)
    return result


def _training_data(store: Store, kept: np.ndarray | None, device: torch.device) -> TrainingData:
    train = store.train if kept is None else store.train.subset(kept)
    return TrainingData(
        NormalisedImages(train.images, store.mean, store.std, device),
        torch.from_numpy(train.labels).to(device),
        NormalisedImages(store.test.images, store.mean, store.std, device),
        torch.from_numpy(store.test.labels).to(device),
        None if kept is None else torch.from_numpy(kept),
    )


def _write(
    result: TrainingResult,
    phase: PhasePlan,
    recipe: Recipe,
    files: RunFiles,
    sizes: Mapping[str, int | None],
) -> None:
    save_weights(result.weights, files.weights)
    if files.checkpoints is not None:
        save_checkpoints(result.checkpoints, files.checkpoints)
    with atomic_path(files.metrics) as temporary:
        pd.DataFrame(result.metrics).to_csv(temporary, index=False)
    write_json(
        files.summary,
        {
            "train_accuracy": result.train_accuracy,
            "test_accuracy": result.test_accuracy,
            "steps": result.steps,
            "samples": phase.samples,
            # Expected, which is what an epoch means here; each view of a sample has its gradient.
            "epochs": result.steps * phase.sampling_rate,
            "sample_gradients": round(
                result.steps * phase.expected_batch_size * recipe.multiplicity
            ),
            "checkpoints": len(result.checkpoints),
            **sizes,
            "clipping": None if phase.noise_multiplier is None else recipe.clipping,
        },
    )
    write_json(files.timing, {"training_seconds": result.seconds})


def _write_observed(observer: Observer, train: Split, path: Path) -> None:
    table = pd.DataFrame({"index": range(len(train)), "id": train.ids, "label": train.labels})
    for name, values in observer.scores().items():
        table[name] = values.numpy()
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)


def write_result(
    result: TrainingResult,
    store: Store,
    model: torch.nn.Module,
    model_options: Mapping[str, Any],
    phase: PhasePlan,
    recipe: Recipe,
    files: RunFiles,
) -> None:
    """Write the files of a run that was trained elsewhere, but its events.

    Args:
        result: of it.
        store: the data set that it was trained on.
        model: of the architecture that was trained.
        model_options, phase, recipe, files: as in `train_run`.

    Raises:
        OSError: a file cannot be written.
    """
    sizes = {
        "parameters": parameter_count(model),
        "width": model_options.get("width"),
        "image_size": store.train.images.shape[-1],
        "test_samples": len(store.test),
    }
    _write(result, phase, recipe, files, sizes)
