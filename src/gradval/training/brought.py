"""A model that was trained elsewhere, in the form in which training here leaves one.

Its checkpoints go into the files that a training writes, so that everything behind them goes the
same way: final weights, checkpoints, events, evaluations. What its training was is what its user
states. Where that is `unknown`, the event is a training without privacy of which no step was
executed here; no epsilon is stated for it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
from torch import Tensor, nn

from gradval.data.images import NormalisedImages
from gradval.data.store import Split, Store
from gradval.models.architectures import model_for, parameter_count
from gradval.models.state_dicts import StateDicts
from gradval.privacy.events import (
    Events,
    PlainTraining,
    PrivateTraining,
    PublicModel,
    read_events,
    write_events,
)
from gradval.privacy.ledger import UNKNOWN_PHASE
from gradval.runtime.devices import job_device
from gradval.runtime.files import atomic_path, write_json
from gradval.scores.evaluation import evaluating
from gradval.training.checkpoints import save_checkpoints, save_weights
from gradval.training.evaluation import Evaluation, evaluate
from gradval.training.run import RunFiles

Statement = Literal["unknown", "public", "private"]


def events_stated(training: Statement, store: Store, events: str | Path | None = None) -> Events:
    """The events of a model that was trained elsewhere, as its user states them.

    Args:
        training: `unknown`; `public`, which is the user's word that the model has learnt nothing
            from these images; or `private`, as a file of events says.
        store: the images that it is to score.
        events: that file.

    Raises:
        ValueError: the file does not conform, is not that of a private training, or that of one on
            another number of images; one line that names it.
        OSError: it cannot be read.
    """
    if training == "public":
        return Events(events=(PublicModel(),))
    if training == "unknown":
        nothing = PlainTraining(
            phase=UNKNOWN_PHASE, samples=len(store.train), sampling_rate=1.0, steps=0
        )
        return Events(events=(nothing,))
    if events is None:
        raise ValueError("events: needed for a model that was trained privately")
    found = read_events(events)
    first = found.events[0]
    if not all(isinstance(event, PrivateTraining) for event in found.events):
        raise ValueError(f"{events}: must hold private trainings and nothing else")
    count = len(store.train)
    if isinstance(first, PrivateTraining) and first.unit == "sample" and first.samples != count:
        raise ValueError(
            f"{events}: of a training on {first.samples} images, but {store.name} has "
            f"{count}; for a model that was not trained on them, 'training: public'"
        )
    return found


def adopt_model(
    store: Store,
    checkpoints: Sequence[str | Path],
    *,
    model_options: Mapping[str, Any],
    training: Statement,
    events: str | Path | None,
    files: RunFiles,
) -> None:
    """Write every file of a run from checkpoints that were trained elsewhere.

    Args:
        store: the images that the model is to score.
        checkpoints: files of state dicts, the last of the final model; at least two, for VoG.
        model_options: as in `gradval.models.architectures.model_for`.
        training, events: as in `events_stated`.
        files: where to write.

    Raises:
        ValueError: a checkpoint does not fit the model, or the model cannot be evaluated; one line.
        OSError: a file cannot be read or written.
    """
    stated = events_stated(training, store, events)
    if len(checkpoints) < 2:
        raise ValueError(f"{checkpoints[0]}: the only checkpoint; VoG needs at least two")
    model = model_for(store, model_options, seed=0).to(job_device())
    taken: list[dict[str, Tensor]] = []
    metrics = []
    for loaded in StateDicts(checkpoints, model):
        taken.append({name: t.detach().cpu().clone() for name, t in loaded.state_dict().items()})
        test = _evaluated(loaded, store, store.test)
        # How long it was trained nobody knows: the rows are numbered.
        row = {"step": len(taken), "epoch": None, "train_loss": None}
        metrics.append(row | {"test_loss": test.loss, "test_accuracy": test.accuracy})
    train = _evaluated(model, store, store.train)
    save_weights(taken[-1], files.weights)
    assert files.checkpoints is not None
    save_checkpoints(taken, files.checkpoints)
    with atomic_path(files.metrics) as temporary:
        pd.DataFrame(metrics).to_csv(temporary, index=False)
    write_json(
        files.summary,
        {
            "train_accuracy": train.accuracy,
            "test_accuracy": metrics[-1]["test_accuracy"],
            "steps": 0,
            "samples": len(store.train),
            "epochs": 0.0,
            "sample_gradients": 0,
            "checkpoints": len(taken),
            "parameters": parameter_count(model),
            "width": None,
            "image_size": store.image_shape[-1],
            "test_samples": len(store.test),
            "clipping": None,
        },
    )
    write_json(files.timing, {"training_seconds": 0.0})
    write_events(files.events, stated)


def _evaluated(model: nn.Module, store: Store, split: Split) -> Evaluation:
    device = next(model.parameters()).device
    images = NormalisedImages(split.images, store.mean, store.std, device)
    with evaluating(model) as plain, torch.no_grad():
        return evaluate(plain, images, torch.from_numpy(split.labels).to(device))
