"""One round of federated training as a site takes part in it: asked once, answered once.

With sums, each site Poisson-samples its own data at the common rate, clips each sample's gradient,
sums, and adds its share of the noise. Whoever adds up the sums sees them one by one: the guarantee
is for what comes out of a trusted or secure aggregator. The sum has the noise of central DP-SGD on
the union if exactly `least` sites answer, and more if more do; with fewer the round makes no step.

With averages, each site takes some steps of DP-SGD by itself, with all of the noise, and sends
weights. Its guarantee holds against everybody, the server too, and rests on no other site.

Either way, a site that drops out, comes late or sends rubbish weakens no guarantee, neither its own
nor another's: what it was asked for is counted, whether anybody used its answer or not.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gradval.data.images import NormalisedImages
from gradval.federation.plans import AveragePlan, Job, SumPlan
from gradval.ghost import clipped_gradient_sum
from gradval.privacy.keystream import KEY_BYTES, KeyStream, derive_key
from gradval.privacy.noise import GaussianNoise, privatise
from gradval.training.optimizers import SGD

Arrays = list[NDArray[np.float32]]


class Journal:
    """What a site has answered, in a file that outlives it: every round once, and no more.

    Args:
        path: of the file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def rounds_with(self, number: int, asked: str, rounds: int) -> int:
        """How many rounds will have been answered once this one is.

        Raises:
            ValueError: the round is beyond the plan, or was answered for other weights.
        """
        return len({*self._answered_before(number, asked, rounds), number})

    def allow(self, number: int, asked: str, rounds: int) -> None:
        """Record a round before anything is computed for it.

        The same question may be asked again: its answer is the same to the bit.

        Raises:
            ValueError: as `rounds_with`.
        """
        if number not in self._answered_before(number, asked, rounds):
            with self.path.open("a") as file:
                file.write(json.dumps({"round": number, "asked": asked}) + "\n")
                file.flush()
                os.fsync(file)

    def _answered_before(self, number: int, asked: str, rounds: int) -> dict[int, str]:
        """What was answered, if this round may be."""
        if not 1 <= number <= rounds:
            raise ValueError(f"round {number}, but the plan has {rounds}")
        answered = self._answered()
        if answered.get(number, asked) != asked:
            raise ValueError(f"round {number} was answered for other weights before")
        return answered

    def _answered(self) -> dict[int, str]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return {entry["round"]: entry["asked"] for entry in map(json.loads, lines)}


class SiteWorker:
    """One site's side of a training.

    Args:
        model: of the shared architecture; its weights are overwritten.
        images, labels: the site's own, on the model's device.
        job: that the site agreed to.
        key: the site's secret, of 32 bytes, or a seeded one for studies of public data. Sampling
            and noise of a round follow from it, the job, the round and the weights that were sent:
            another question gets other noise, so that no difference of answers takes it away.
        journal: of what was answered; `None` where server and site are one program.
        most: samples in memory at a time.
    """

    def __init__(
        self,
        model: nn.Module,
        images: NormalisedImages,
        labels: Tensor,
        job: Job,
        *,
        key: bytes,
        journal: Journal | None = None,
        most: int = 512,
    ) -> None:
        self.model, self.images, self.labels, self.job = model, images, labels, job
        self.key, self.journal, self.most = derive_key(key, job.digest), journal, most

    def answer(self, number: int, weights: Arrays) -> Arrays:
        """Noisy sums of clipped gradients, or weights after some steps of DP-SGD.

        Args:
            number: of the round, from 1.
            weights: of the shared model, in the order of its parameters.

        Returns:
            One array a parameter.

        Raises:
            ValueError: the round must not be answered, or the weights do not fit.
        """
        asked = digest_of(weights)
        if self.journal is not None:
            self.journal.allow(number, asked, self.job.plan.rounds)
        key = derive_key(self.key, "round", number, asked)
        sampling = KeyStream(derive_key(key, "sampling"))
        device = next(self.model.parameters()).device
        noise = GaussianNoise(KeyStream(derive_key(key, "noise")), device)
        set_weights(self.model, weights)
        plan = self.job.plan
        if isinstance(plan, SumPlan):
            sums = self._noisy_sums(sampling, noise, plan.share)
            return [total.cpu().numpy() for total in sums]
        self._train(number, sampling, noise, plan)
        return weights_of(self.model)

    def _noisy_sums(
        self, sampling: KeyStream, noise: GaussianNoise, deviation: float
    ) -> list[Tensor]:
        plan = self.job.plan
        drawn = sampling.bernoulli(len(self.labels), plan.sampling_rate).nonzero()[:, 0]
        sums = self.clipped_sums(drawn, plan.clipping_norm)
        if not deviation:
            return sums
        return [
            privatise(total, noise.integers(total.numel()), deviation).view_as(total)
            for total in sums
        ]

    def _train(
        self, number: int, sampling: KeyStream, noise: GaussianNoise, plan: AveragePlan
    ) -> None:
        """The steps of one round, which begin without momentum."""
        recipe, parameters = self.job.recipe, trained(self.model)
        optimizer = SGD(
            parameters,
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
        expected = plan.sampling_rate * len(self.labels)
        steps = plan.rounds * plan.local_steps
        for step in range((number - 1) * plan.local_steps, number * plan.local_steps):
            optimizer.param_groups[0]["lr"] = recipe.learning_rate_at(step, steps)
            sums = self._noisy_sums(sampling, noise, plan.noise_multiplier * plan.clipping_norm)
            for parameter, total in zip(parameters, sums, strict=True):
                parameter.grad = total / expected
            optimizer.step()
            optimizer.zero_grad()

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


def trained(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that are trained, in the model's order."""
    return [p for p in model.parameters() if p.requires_grad]


def weights_of(model: nn.Module) -> Arrays:
    """The trained parameters as float32 arrays, in the model's order."""
    return [p.detach().cpu().numpy().copy() for p in trained(model)]


def set_weights(model: nn.Module, weights: Sequence[NDArray[np.float32]]) -> None:
    """Overwrite the trained parameters.

    Raises:
        ValueError: there are more or fewer, or one has another shape.
    """
    parameters = trained(model)
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


def problem_of(answer: Sequence[NDArray[np.float32]], weights: Arrays) -> str:
    """What is wrong with a site's answer; empty for nothing."""
    if [np.shape(a) for a in answer] != [w.shape for w in weights]:
        return "wrong shape"
    return "" if all(np.isfinite(a).all() for a in answer) else "not finite"


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
