"""Digests of what a training run depends on: for its resume state, and for its random streams."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from gradval.data.images import NormalisedImages
from gradval.data.store import Store, sha256_of_array
from gradval.privacy.plan import PhasePlan
from gradval.training.loop import TrainingData
from gradval.training.recipe import Recipe

# What does not change the result, but for its rounding.
_HOW = ("clipping", "physical_batch_size")


def fingerprint_of(
    store: Store, data: TrainingData, recipe: Recipe, phase: PhasePlan, **others: Any
) -> str:
    """A digest of all that a run depends on, for a resume state that must not outlive any of it.

    Args:
        store: the data set.
        data: the part of it that is trained on, and the test split, of which metrics speak.
        recipe, phase: hyper-parameters and plan.
        others: plain values by their names.
    """
    return _digest(
        data=[store.name, store.mean, store.std],
        splits=[
            _of_split(data.images, data.labels),
            _of_split(data.test_images, data.test_labels),
        ],
        recipe=asdict(recipe),
        phase=asdict(phase),
        **others,
    )


def stream_fingerprint(
    store: Store,
    data: TrainingData,
    recipe: Recipe,
    phase: PhasePlan,
    *,
    model: Mapping[str, Any],
    initial_weights: str | None = None,
) -> str:
    """A digest of what the steps of a run are a function of, beside its random streams.

    Code and device are not in it, nor what changes the rounding alone, so that a run can be
    repeated elsewhere. All else is: runs that shared their noise in spite of a difference would
    show it, as the noise cancels in the difference of their weights.

    Args:
        store: whose constants the images are normalised with.
        data: the training images and labels; the test split is not in the digest.
        recipe, phase: hyper-parameters and plan.
        model: what defines the model.
        initial_weights: digest of the weights that the run starts from, if they are not fresh.
    """
    return _digest(
        constants=[store.mean, store.std],
        data=_of_split(data.images, data.labels),
        recipe={key: value for key, value in asdict(recipe).items() if key not in _HOW},
        phase=asdict(phase),
        model=dict(model),
        initial_weights=initial_weights,
    )


def _of_split(images: NormalisedImages, labels: Tensor) -> list[str]:
    return [sha256_of_array(images.images), sha256_of_array(labels.cpu().numpy())]


def _digest(**parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=dict).encode()).hexdigest()
