"""One optimiser step from the samples that Poisson sampling drew, privately or not.

A step is fed in physical batches (`accumulate`) and then taken (`update`). All kinds divide by the
same fixed denominator, the expected batch size; private ones clip each sample's gradient first and
add noise to the sum (`gradval.training.optimizers`).

A sample may come as several augmented views of it, whose gradients are averaged to the sample's
own before anything else is done with it.

A step that observes also hands out what it knows of each sample without much more work: the
gradient with respect to the image, which costs one more convolution backward in the first layer,
and in private steps the norm of the gradient, on which clipping rests anyway.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradval.ghost import check_private, clipped_gradient_sum
from gradval.ghost.clipping import clip_factors
from gradval.ghost.separability import reason_against_batches
from gradval.privacy.noise import GaussianNoise
from gradval.training.optimizers import SGD, NoisySums

# In units of the dtype's rounding; 1.2e-3 in float32. Hostile inputs were seen to need 1e-4.
GHOST_MARGIN = 1e4


@dataclass(frozen=True)
class SampleObservation:
    """What a step learnt about the n samples of a physical batch, before the update.

    Attributes:
        losses: `(n,)` cross-entropy in nats, the mean over a sample's views.
        norms: `(n,)` L2 norms of the gradients with respect to all parameters, before clipping;
            only of private steps that observe.
        input_gradients: `(n, C, H, W)` gradients of the losses with respect to the images; only of
            steps that observe.
    """

    losses: Tensor
    norms: Tensor | None = None
    input_gradients: Tensor | None = None


class Step(Protocol):
    """What the training loop needs of a kind of step."""

    optimizer: SGD

    def accumulate(self, images: Tensor, labels: Tensor) -> SampleObservation:
        """Add a physical batch of n > 0 samples, `(n M, C, H, W)` and `(n M,)`.

        M consecutive views belong to one sample; M is 1 unless the step was made for more.

        Raises:
            ValueError: a gradient is not finite (or, without privacy, `update` raises it).
        """
        ...

    def update(self) -> None:
        """Take the optimiser step with all that was accumulated, which may be nothing."""
        ...


def _check_finite(gradients: list[Tensor]) -> None:
    # The largest magnitude: NaN if anything is, and one look at the device for all of them.
    if not torch.isfinite(nn.utils.get_total_norm(gradients, norm_type=math.inf)):
        raise ValueError("the gradient is not finite")


class NonPrivateStep:
    """SGD on the summed gradient over the expected batch size.

    Args:
        model: trained in place.
        optimizer: of the model's parameters.
        expected_batch_size: the fixed denominator.
        multiplicity: views M of each sample.
        observe: whether to report input gradients (M = 1 only). Norms are not: no plain backward
            has them, and to find them costs about half a step.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: SGD,
        expected_batch_size: float,
        *,
        multiplicity: int = 1,
        observe: bool = False,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.expected_batch_size = expected_batch_size
        self.multiplicity = multiplicity
        self.observe = observe
        optimizer.zero_grad()

    def accumulate(self, images: Tensor, labels: Tensor) -> SampleObservation:
        images, received = _watched(images, self.observe)
        losses = _sample_losses(self.model(images), labels, self.multiplicity)
        (losses.sum() / self.expected_batch_size).backward()
        if not self.observe:
            return SampleObservation(losses.detach())
        input_gradients = _first(received, images) * self.expected_batch_size
        return SampleObservation(losses.detach(), input_gradients=input_gradients)

    def update(self) -> None:
        _check_finite([p.grad for p in self.model.parameters() if p.grad is not None])
        self.optimizer.step()
        self.optimizer.zero_grad()


class PrivateStep(ABC):
    """DP-SGD: `private` adds up clipped gradients, adds the noise once, and divides.

    Args:
        model: trained in place.
        optimizer: of the model's parameters.
        expected_batch_size: the fixed denominator.
        noise_multiplier: standard deviation of the noise / clipping norm.
        clipping_norm: L2 norm to which each sample's gradient is clipped.
        noise: source of the noise, on the device of the model.
        multiplicity: views M of each sample.
        observe: whether to report norms and input gradients of the samples (M = 1 only).

    Raises:
        ValueError: this way of clipping takes each view for a sample.
    """

    averages_views: ClassVar[bool] = True

    def __init__(
        self,
        model: nn.Module,
        optimizer: SGD,
        expected_batch_size: float,
        *,
        noise_multiplier: float,
        clipping_norm: float,
        noise: GaussianNoise,
        multiplicity: int = 1,
        observe: bool = False,
    ) -> None:
        if multiplicity > 1 and not self.averages_views:
            raise ValueError(
                f"{type(self).__name__} clips every view by itself; with multiplicity "
                f"{multiplicity} choose another way of clipping, such as bookkeeping"
            )
        self.optimizer = optimizer
        self.multiplicity = multiplicity
        self.clipping_norm = clipping_norm
        self.observe = observe
        self.model = self._prepare(model)
        self.private = NoisySums(
            optimizer,
            noise_multiplier=noise_multiplier,
            clipping_norm=clipping_norm,
            expected_batch_size=expected_batch_size,
            noise=noise,
        )

    def accumulate(self, images: Tensor, labels: Tensor) -> SampleObservation:
        seen = self._backward(images, labels)
        self.private.add_up()
        return seen

    def update(self) -> None:
        self.private.step()

    def _prepare(self, model: nn.Module) -> nn.Module:
        return model

    @abstractmethod
    def _backward(self, images: Tensor, labels: Tensor) -> SampleObservation:
        """Leave the sum of the clipped gradients of a batch in `.grad`."""


class BookKeepingStep(PrivateStep):
    """DP-SGD whose clipped sum is formed without per-sample gradients (`gradval.ghost`)."""

    def _backward(self, images: Tensor, labels: Tensor) -> SampleObservation:
        clipped = clipped_gradient_sum(
            self.model,
            images,
            labels,
            self.clipping_norm,
            multiplicity=self.multiplicity,
            input_gradients=self.observe,
        )
        for name, total in clipped.sums.items():
            self.model.get_parameter(name).grad = total
        norms = clipped.norms if self.observe else None
        return SampleObservation(clipped.losses, norms, clipped.input_gradients)


class GhostStep(PrivateStep):
    """DP-SGD by Opacus's fast gradient clipping: one backward for norms, another for the sum.

    It takes each row of a batch for a sample, so several views cannot be averaged first.
    """

    averages_views = False

    def _prepare(self, model: nn.Module) -> nn.Module:
        from opacus.grad_sample import GradSampleModuleFastGradientClipping

        # Its norms come from one backward, its sum from another; what rounding may put between
        # them where products cancel is taken off the norm that is clipped to.
        margin = GHOST_MARGIN * torch.finfo(next(model.parameters()).dtype).eps
        self.hooked = GradSampleModuleFastGradientClipping(
            model, max_grad_norm=self.clipping_norm * (1 - margin), loss_reduction="mean"
        )
        hooked: nn.Module = self.hooked
        return hooked

    def _backward(self, images: Tensor, labels: Tensor) -> SampleObservation:
        from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping

        _check_private(self.hooked, images)
        images, received = _watched(images, self.observe)
        criterion = DPLossFastGradientClipping(
            self.hooked, self.private, nn.CrossEntropyLoss(), loss_reduction="mean"
        )
        loss = criterion(self.model(images), labels)
        loss.backward()
        norms = self.hooked.per_sample_gradient_norms
        _check_finite([norms])
        losses = loss.loss_per_sample.detach()
        if not self.observe:
            return SampleObservation(losses)
        # The first backward is that of the mean loss, the second that of the clipped sum.
        return SampleObservation(losses, norms, _first(received, images) * len(losses))


class HooksStep(PrivateStep):
    """DP-SGD with Opacus's own per-sample gradients (`GradSampleModule`), clipped by us."""

    force_functorch = False

    def _prepare(self, model: nn.Module) -> nn.Module:
        from opacus import GradSampleModule

        hooked: nn.Module = GradSampleModule(
            model, loss_reduction="sum", force_functorch=self.force_functorch
        )
        return hooked

    def _backward(self, images: Tensor, labels: Tensor) -> SampleObservation:
        _check_private(self.model, images)
        images, received = _watched(images, self.observe)
        losses = _sample_losses(self.model(images), labels, self.multiplicity)
        losses.sum().backward()
        for parameter in self.private.params:
            views = parameter.grad_sample.unflatten(0, (-1, self.multiplicity))
            parameter.grad_sample = views.sum(1) if self.multiplicity > 1 else views[:, 0]
        _check_finite([p.grad_sample for p in self.private.params])
        norms = self._clip()
        if not self.observe:
            return SampleObservation(losses.detach())
        return SampleObservation(losses.detach(), norms, _first(received, images))

    def _clip(self) -> Tensor:
        """Leave the sums of clipped gradients in `.grad`; norms `(n,)` before clipping.

        Opacus's optimizer would take `Tensor.norm`, which adds up a large layer's squares with
        relative errors above 1e-5.
        """
        gradients = [p.grad_sample for p in self.private.params]
        squares = [gradient.flatten(1).square().sum(1) for gradient in gradients]
        norms = torch.stack(squares).sum(0).sqrt()
        factors = clip_factors(norms, self.clipping_norm)
        for parameter, gradient in zip(self.private.params, gradients, strict=True):
            parameter.grad = torch.tensordot(factors, gradient, dims=1)
            parameter.grad_sample = None
        return norms


class FunctorchStep(HooksStep):
    """The same, with per-sample gradients of each layer from `torch.func`."""

    force_functorch = True


def _sample_losses(logits: Tensor, labels: Tensor, multiplicity: int) -> Tensor:
    """Cross-entropy `(n,)`, the mean over each sample's consecutive views."""
    losses = F.cross_entropy(logits, labels, reduction="none")
    return losses.view(-1, multiplicity).mean(1)


def _watched(images: Tensor, watch: bool) -> tuple[Tensor, list[Tensor]]:
    """The images, and a list to which each backward appends its gradient with respect to them.

    A copy, because the model may begin with an in-place operation, which leaves forbid.
    """
    received: list[Tensor] = []
    if watch:
        leaf = images.detach().requires_grad_()
        leaf.register_hook(received.append)
        images = leaf.clone()
    return images, received


def _first(received: list[Tensor], images: Tensor) -> Tensor:
    """The gradient of the first backward; zeros if none has reached the images."""
    return received[0] if received else torch.zeros_like(images)


def _check_private(hooked: Any, images: Tensor) -> None:
    """`check_private` for a module with Opacus's hooks, which would record the trial run."""
    hooked.disable_hooks()
    try:
        check_private(hooked._module, images)
        if reason := reason_against_batches(hooked._module, images):
            raise ValueError(f"{reason}, so that samples change each other: clip by bookkeeping")
    finally:
        hooked.enable_hooks()


PRIVATE_STEPS: dict[str, type[PrivateStep]] = {
    "bookkeeping": BookKeepingStep,
    "hooks": HooksStep,
    "ghost": GhostStep,
    "functorch": FunctorchStep,
}
