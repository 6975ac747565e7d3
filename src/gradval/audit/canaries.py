"""Canaries: made-up samples whose clipped gradients are known, orthogonal and as long as allowed.

A canary is what noise hides least: its gradient lies in parameters that no other sample touches (a
Dirac canary in gradient space; Nasr et al., 2023). To the training loop it is an image like any
other, so that sampling, clipping, summation, noise and division are those of every run.

Images get two more channels that are the high and the low byte of a number: 0 for an image, i + 1
for the place of canary i if it is there, and `_EMPTY` if it is not. A number fills its channels,
and so survives flips and crops. `CanaryModel` gives images to the model, and canaries to a linear
layer of its own, the sink. The gradient of a canary is all in its column of the sink. That of an
empty place is zero, as if there were no such sample, and the number of places, on which rate and
denominator rest, tells nothing.
"""

import numpy as np
import torch
from torch import Tensor, nn

from gradval.data.images import NormalisedImages
from gradval.data.store import Store
from gradval.training.loop import TrainingData

_EMPTY = 2**16 - 1
MOST_CANARIES = _EMPTY - 1
# Norm of a canary's gradient, about, in clipping norms: whoever does not clip is found out.
_GRADIENT_SCALE = 100.0


class CanaryModel(nn.Module):
    """A model for numbered images.

    Args:
        model: maps images `(N, C, H, W)` to logits `(N, classes)`; trained on the images alone.
        classes: number of logits.
        canaries: number of places for canaries.
        clipping_norm: of the training; gradients of canaries are about a hundred times as long.
    """

    numbers: Tensor

    def __init__(
        self, model: nn.Module, *, classes: int, canaries: int, clipping_norm: float
    ) -> None:
        super().__init__()
        self.model = model
        self.gradient_scale = _GRADIENT_SCALE * clipping_norm
        self.sink = nn.Linear(canaries, classes, bias=False)
        nn.init.zeros_(self.sink.weight)
        self.register_buffer("numbers", torch.arange(1, canaries + 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits `(N, classes)` of numbered images `(N, C + 2, H, W)`; zero for a canary."""
        # Crops may pad with zeros, hence the largest value.
        high, low = (255 * images[:, -2:].amax((2, 3))).round().unbind(1)
        number = (256 * high + low)[:, None]
        logits: Tensor = self.model(images[:, :-2].contiguous())
        echo: Tensor = self.sink(self.gradient_scale * (number == self.numbers).to(images.dtype))
        # The sink changes no logit, but receives the gradient: a canary is never learnt, and so
        # never falls silent.
        return torch.where(number == 0, logits, 0.0) + (echo - echo.detach())


def insert_canaries(store: Store, included: np.ndarray, device: torch.device) -> TrainingData:
    """The data of a store with places for canaries behind the training images.

    Args:
        store: the data set.
        included: bool `(m,)`, which canaries are there; m is at most `MOST_CANARIES`.
        device: where to train.

    Returns:
        N + m numbered training images and as many labels (of a canary: 0), and numbered test
        images.

    Raises:
        ValueError: there are too many canaries.
    """
    canaries = len(included)
    if canaries > MOST_CANARIES:
        raise ValueError(f"there can be at most {MOST_CANARIES} canaries, got {canaries}")
    blank = np.zeros((canaries, *store.image_shape), dtype=np.uint8)
    places = np.where(included, np.arange(1, canaries + 1), _EMPTY)
    mean, std = (*store.mean, 0.0, 0.0), (*store.std, 1.0, 1.0)

    def numbered(images: np.ndarray, numbers: np.ndarray) -> NormalisedImages:
        parts = np.stack([numbers // 256, numbers % 256], axis=1).astype(np.uint8)
        planes = np.broadcast_to(parts[:, :, None, None], (*parts.shape, *store.image_shape[1:]))
        return NormalisedImages(np.concatenate([images, planes], axis=1), mean, std, device)

    train, test = store.train, store.test
    labels = np.concatenate([train.labels, np.zeros(canaries, dtype=np.int64)])
    return TrainingData(
        numbered(
            np.concatenate([train.images, blank]),
            np.concatenate([np.zeros(len(train), dtype=np.int64), places]),
        ),
        torch.from_numpy(labels).to(device),
        numbered(test.images, np.zeros(len(test), dtype=np.int64)),
        torch.from_numpy(test.labels).to(device),
    )


def canary_scores(weights: dict[str, Tensor]) -> np.ndarray:
    """How far training moved each canary's own weights against the direction of its gradient.

    Up to a factor this is the inner product of the canary's clipped gradient with the sum of all
    noisy updates, as the optimiser weighted them. It reads nothing but the final weights.

    Args:
        weights: final ones of a `CanaryModel`.

    Returns:
        float64 `(m,)`; larger for canaries that were included.
    """
    # The gradient of the cross-entropy for label 0 at zero logits is 1 / K - (1, 0, ..., 0).
    sink = weights["sink.weight"].double().cpu()
    scores: np.ndarray = (sink[0] - sink.mean(0)).numpy()
    return scores
