"""Canaries: made-up samples whose clipped gradients are known, orthogonal and as long as allowed.

A canary is what noise hides least: its gradient lies in parameters that no other sample touches
(a Dirac canary in gradient space; Nasr et al., 2023), one in each of several layers, the sinks. To
the training loop it is an image like any other, so that sampling, clipping, summation, noise and
division are those of every run. As it is spread over layers, whoever clips or noises layer by layer
is found out too.

Images get two more channels that are the high and the low byte of a number: 0 for an image, i + 1
for canary i. A number fills its channels, and so survives flips and crops. `CanaryModel` gives
images to the model, and canaries to the sinks. More places than there are canaries stay empty: what
is seen there is noise alone, from which whoever attacks learns what the noise is like.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradval.data.images import NormalisedImages
from gradval.data.store import Store
from gradval.training.loop import TrainingData

MOST_CANARIES = 2**16 - 1
# Places that are known to be empty.
REFERENCES = 1000
# Norm of a canary's gradient, about, in clipping norms: whoever does not clip is found out.
_GRADIENT_SCALE = 100.0


class CanaryModel(nn.Module):
    """A model for numbered images.

    The places form a table. A canary goes into a sink by its column and is heard by its row, so
    that its gradient is one entry of the sink's weight, and what it costs is one vector.

    Args:
        model: maps images `(N, C, H, W)` to logits `(N, classes)`; trained on the images alone.
        classes: number of logits.
        canaries: how many there may be; `REFERENCES` more places stay empty.
        clipping_norm: of the training; gradients of canaries are about a hundred times as long.

    Attributes:
        sinks: linear layers and 1x1 convolutions, by turns.
        canaries, places: how many canaries there may be, and how many places with the empty ones.
    """

    def __init__(
        self, model: nn.Module, *, classes: int, canaries: int, clipping_norm: float
    ) -> None:
        super().__init__()
        self.model = model
        self.canaries, self.places = canaries, canaries + REFERENCES
        self.columns = math.isqrt(self.places - 1) + 1
        self.rows = -(-self.places // self.columns)
        self.sinks = nn.ModuleList(
            layer
            for _ in range(2)
            for layer in (
                nn.Linear(self.columns, self.rows, bias=False),
                nn.Conv2d(self.columns, self.rows, kernel_size=1, bias=False),
            )
        )
        for parameter in self.sinks.parameters():
            nn.init.zeros_(parameter)
        # The gradient of the cross-entropy for label 0 at zero logits is 1 / K - 1 in the first.
        size = _GRADIENT_SCALE * clipping_norm / math.sqrt(len(self.sinks))
        self.gradient_scale = size / (1 - 1 / classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits `(N, classes)` of numbered images `(N, C + 2, H, W)`; zero for a canary."""
        # Crops may pad with zeros, hence the largest value.
        high, low = (255 * images[:, -2:].amax((2, 3))).round().long().unbind(1)
        number = 256 * high + low
        canary, place = number > 0, number - 1
        logits: Tensor = self.model(images[:, :-2].contiguous())
        size = self.gradient_scale * canary.to(images.dtype)
        # No place at all for a number beyond, which trial runs with random images may have.
        column = size[:, None] * _marked(place % self.columns, self.columns)
        row = _marked(place.div(self.columns, rounding_mode="floor"), self.rows)
        heard = images.new_zeros(len(images))
        for sink in self.sinks:
            shaped = column[:, :, None, None] if isinstance(sink, nn.Conv2d) else column
            heard = heard + (sink(shaped).flatten(1) * row).sum(1)
        # The sinks change no logit, but receive the gradient: a canary is never learnt, and so
        # never falls silent.
        echo = F.pad((heard - heard.detach())[:, None], (0, logits.shape[1] - 1))
        return torch.where(canary[:, None], 0.0, logits) + echo


def _marked(positions: Tensor, length: int) -> Tensor:
    """Bool `(N, length)`, true at the positions `(N,)` that are within."""
    return positions[:, None] == torch.arange(length, device=positions.device)


def in_places(sinks: list[Tensor], places: int) -> Tensor:
    """Entries of the sinks' weights, or of their gradients, by place: float64 `(L, places)`."""
    return torch.stack([sink.detach().double().cpu().flatten()[:places] for sink in sinks])


def numbered_images(
    images: np.ndarray, numbers: np.ndarray, store: Store, device: torch.device
) -> NormalisedImages:
    """Images of a store `(N, C, H, W)` with two channels for their numbers `(N,)`."""
    parts = np.stack([numbers // 256, numbers % 256], axis=1).astype(np.uint8)
    planes = np.broadcast_to(parts[:, :, None, None], (*parts.shape, *images.shape[2:]))
    mean, std = (*store.mean, 0.0, 0.0), (*store.std, 1.0, 1.0)
    return NormalisedImages(np.concatenate([images, planes], axis=1), mean, std, device)


def with_canaries(
    images: np.ndarray, labels: np.ndarray, which: np.ndarray, store: Store, device: torch.device
) -> tuple[NormalisedImages, Tensor]:
    """Images and labels with canaries behind them.

    Args:
        images, labels: uint8 `(N, C, H, W)` and int64 `(N,)`.
        which: int64 `(n,)`, the canaries, from 0.
        store: whose constants the images are normalised with.
        device: where to train.

    Returns:
        N + n numbered images and as many labels (of a canary: 0).
    """
    blank = np.zeros((len(which), *images.shape[1:]), dtype=np.uint8)
    numbers = np.concatenate([np.zeros(len(images), dtype=np.int64), which + 1])
    all_labels = np.concatenate([labels, np.zeros(len(which), dtype=np.int64)])
    return (
        numbered_images(np.concatenate([images, blank]), numbers, store, device),
        torch.from_numpy(all_labels).to(device),
    )


def audited_data(
    store: Store, kept: np.ndarray, canaries: int, device: torch.device
) -> TrainingData:
    """What an audited training trains on, and the test images.

    Args:
        store: the data set.
        kept: positions of the training images that take part.
        canaries: how many follow them, all of them; whether each is there is for the trainer.
        device: where to train.

    Raises:
        ValueError: there are too many canaries.
    """
    if canaries > MOST_CANARIES:
        raise ValueError(f"there can be at most {MOST_CANARIES} canaries, got {canaries}")
    train, test = store.train.subset(kept), store.test
    images, labels = with_canaries(train.images, train.labels, np.arange(canaries), store, device)
    return TrainingData(
        images,
        labels,
        numbered_images(test.images, np.zeros(len(test), dtype=np.int64), store, device),
        torch.from_numpy(test.labels).to(device),
    )
