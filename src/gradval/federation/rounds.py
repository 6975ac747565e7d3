"""Federated DP-SGD by sums: one round of a site, and the step that its sums make.

In every round each site Poisson-samples its own data at the common rate, clips each sample's
gradient, sums, and adds its share of the noise. Whoever adds up the sums sees them one by one: the
guarantee is for what comes out of a trusted or secure aggregator. The sum has the noise of central
DP-SGD on the union if exactly `least` sites answer, and more if more do; with fewer the round makes
no step. So a site that drops out, comes late or sends rubbish weakens no guarantee.
"""

import hashlib
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gradval.data.images import NormalisedImages
from gradval.ghost import clipped_gradient_sum
from gradval.privacy.keystream import KEY_BYTES, KeyStream, derive_key
from gradval.privacy.noise import GaussianNoise, privatise

Arrays = list[NDArray[np.float32]]


@dataclass(frozen=True)
class SumPlan:
    """What all sites and the server agree on; public.

    Attributes:
        sampling_rate: of every sample at every site, in (0, 1].
        steps: rounds at most.
        noise_multiplier: of the sum over `least` sites; 0 for none.
        clipping_norm: L2 norm to which each sample's gradient is clipped.
        least: sites that must answer for a round to make a step.
        batch_size: expected samples of a round over all sites, the fixed denominator.
    """

    sampling_rate: float
    steps: int
    noise_multiplier: float
    clipping_norm: float
    least: int
    batch_size: float

    @property
    def share(self) -> float:
        """Standard deviation of the noise of one site."""
        return self.noise_multiplier * self.clipping_norm / math.sqrt(self.least)


class Journal:
    """What a site has answered, in a file that outlives it: every round once, and no more.

    Args:
        path: of the file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def allow(self, number: int, asked: str, steps: int) -> None:
        """Record a round before anything is computed for it.

        The same question may be asked again: its answer is the same to the bit.

        Raises:
            ValueError: the round is beyond the plan, or was answered for other weights.
        """
        if not 1 <= number <= steps:
            raise ValueError(f"round {number}, but the plan has {steps}")
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        answered = {entry["round"]: entry["asked"] for entry in map(json.loads, lines)}
        if answered.get(number, asked) != asked:
            raise ValueError(f"round {number} was answered for other weights before")
        if number not in answered:
            with self.path.open("a") as file:
                file.write(json.dumps({"round": number, "asked": asked}) + "\n")
                file.flush()
                os.fsync(file)


@dataclass(frozen=True)
class Answer:
    """What a site sends: noisy sums of clipped gradients, one array a parameter."""

    sums: Arrays


class SiteWorker:
    """One site's side of a round.

    Args:
        model: of the shared architecture; its weights are overwritten.
        images, labels: the site's own, on the model's device.
        key: the site's secret, of 32 bytes, or a seeded one for studies of public data. Sampling
            and noise of a round follow from it, the round and the weights that were sent: other
            weights get other noise, so that no difference of answers takes it away.
        journal: of what was answered.
        most: samples in memory at a time.
    """

    def __init__(
        self,
        model: nn.Module,
        images: NormalisedImages,
        labels: Tensor,
        *,
        key: bytes,
        journal: Journal,
        most: int = 512,
    ) -> None:
        self.model, self.images, self.labels = model, images, labels
        self.key, self.journal, self.most = key, journal, most

    def answer(self, number: int, weights: Arrays, plan: SumPlan) -> Answer:
        """Sample, clip, sum, add the share of the noise.

        Args:
            number: of the round, from 1.
            weights: of the shared model, in the order of its parameters.
            plan: as agreed.

        Raises:
            ValueError: the round must not be answered, or the weights do not fit.
        """
        asked = digest_of(weights)
        self.journal.allow(number, asked, plan.steps)
        key = derive_key(self.key, "round", number, asked)
        drawn = KeyStream(derive_key(key, "sampling")).bernoulli(
            len(self.labels), plan.sampling_rate
        )
        set_weights(self.model, weights)
        sums = self.clipped_sums(drawn.nonzero()[:, 0], plan.clipping_norm)
        device = next(self.model.parameters()).device
        noise = GaussianNoise(KeyStream(derive_key(key, "noise")), device)
        noisy = [
            privatise(total, noise.integers(total.numel()), plan.share).view_as(total)
            if plan.share
            else total
            for total in sums
        ]
        return Answer([total.cpu().numpy() for total in noisy])

    def clipped_sums(self, positions: Tensor, clipping_norm: float) -> list[Tensor]:
        """Sums of the clipped gradients of some samples, one a parameter, without noise."""
        self.model.train()
        named = [(n, p) for n, p in self.model.named_parameters() if p.requires_grad]
        sums = [torch.zeros_like(parameter) for _, parameter in named]
        for chunk in positions.split(self.most):
            if len(chunk):
                found = clipped_gradient_sum(
                    self.model,
                    self.images[chunk],
                    self.labels[chunk.to(self.labels.device)],
                    clipping_norm,
                )
                for total, (name, _) in zip(sums, named, strict=True):
                    total += found.sums[name]
        return sums


def weights_of(model: nn.Module) -> Arrays:
    """The trained parameters as float32 arrays, in the model's order."""
    return [p.detach().cpu().numpy().copy() for p in model.parameters() if p.requires_grad]


def set_weights(model: nn.Module, weights: Sequence[NDArray[np.float32]]) -> None:
    """Overwrite the trained parameters.

    Raises:
        ValueError: there are more or fewer, or one has another shape.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if [tuple(p.shape) for p in parameters] != [np.shape(w) for w in weights]:
        raise ValueError("the weights that were sent are not those of this model")
    with torch.no_grad():
        for parameter, array in zip(parameters, weights, strict=True):
            parameter.copy_(torch.from_numpy(np.asarray(array)))


def digest_of(weights: Sequence[NDArray[np.float32]]) -> str:
    """SHA-256 of the weights as a hexadecimal string."""
    digest = hashlib.sha256()
    for array in weights:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def problem_of(sums: Sequence[NDArray[np.float32]], weights: Arrays) -> str:
    """What is wrong with a site's answer; empty for nothing."""
    if [np.shape(a) for a in sums] != [w.shape for w in weights]:
        return "wrong shape"
    return "" if all(np.isfinite(a).all() for a in sums) else "not finite"


def site_key(path: Path) -> bytes:
    """The secret of a site: read from its file, or made once (mode 0600).

    Raises:
        ValueError: the file holds something else.
    """
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
            file.flush()
            os.fsync(file)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path}: a key has {KEY_BYTES} bytes, not {len(key)}")
    return key
