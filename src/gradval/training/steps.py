"""One optimiser step from the samples that Poisson sampling drew, privately or not.

A step is fed in physical batches (`accumulate`) and then taken (`update`). All kinds divide by the
same fixed denominator, the expected batch size; private ones clip each sample's gradient first and
add the noise of Opacus's optimizer to the sum.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradval.ghost import clipped_gradient_sum

if TYPE_CHECKING:
    from opacus.optimizers import DPOptimizer


class Step(Protocol):
    """What the training loop needs of a kind of step."""

    optimizer: torch.optim.Optimizer

    def accumulate(self, images: Tensor, labels: Tensor) -> Tensor:
        """Add a physical batch, `(n, C, H, W)` and `(n,)`; return its losses `(n,)`."""
        ...

    def update(self) -> None:
        """Take the optimiser step with all that was accumulated, which may be nothing."""
        ...


class NonPrivateStep:
    """SGD on the summed gradient over the expected batch size."""

    def __init__(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, expected_batch_size: float
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.expected_batch_size = expected_batch_size
        optimizer.zero_grad()

    def accumulate(self, images: Tensor, labels: Tensor) -> Tensor:
        losses = F.cross_entropy(self.model(images), labels, reduction="none")
        (losses.sum() / self.expected_batch_size).backward()
        return losses.detach()

    def update(self) -> None:
        self.optimizer.step()
        self.optimizer.zero_grad()


class PrivateStep(ABC):
    """DP-SGD: Opacus's optimizer adds up clipped gradients, adds the noise once, and divides.

    Args:
        model: trained in place.
        optimizer: of the model's parameters.
        expected_batch_size: the fixed denominator.
        noise_multiplier: standard deviation of the noise / clipping norm.
        clipping_norm: L2 norm to which each sample's gradient is clipped.
        generator: source of the noise.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        expected_batch_size: float,
        *,
        noise_multiplier: float,
        clipping_norm: float,
        generator: torch.Generator,
    ) -> None:
        self.model = self._prepare(model)
        self.optimizer = optimizer
        self.clipping_norm = clipping_norm
        self.private = self._optimizer_type()(
            optimizer,
            noise_multiplier=noise_multiplier,
            max_grad_norm=clipping_norm,
            expected_batch_size=expected_batch_size,
            generator=generator,
        )

    def accumulate(self, images: Tensor, labels: Tensor) -> Tensor:
        losses = self._backward(images, labels)
        self._step(skip=True)
        return losses

    def update(self) -> None:
        # A batch of nothing closes the step: it adds no gradient, and it is all there is to an
        # empty Poisson sample, which must still take its share of noise.
        self._backward_nothing()
        self._step(skip=False)

    def _step(self, *, skip: bool) -> None:
        """Let the optimizer take up the gradients and, unless it skips, take its step."""
        self.private.signal_skip_step(skip)
        self.private.step()
        self.private.zero_grad(set_to_none=True)

    def _prepare(self, model: nn.Module) -> nn.Module:
        return model

    @abstractmethod
    def _optimizer_type(self) -> "type[DPOptimizer]":
        """Opacus's optimizer for this kind of gradients."""

    @abstractmethod
    def _backward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Leave the gradients of a batch where the optimizer looks for them; return the losses."""

    @abstractmethod
    def _backward_nothing(self) -> None:
        """The same for a batch without samples."""


class BookKeepingStep(PrivateStep):
    """DP-SGD whose clipped sum is formed without per-sample gradients."""

    def _optimizer_type(self) -> "type[DPOptimizer]":
        # Imported here: Opacus takes seconds to import and non-private runs do not need it.
        from opacus.optimizers import DPOptimizerFastGradientClipping

        kind: type[DPOptimizer] = DPOptimizerFastGradientClipping
        return kind

    def _backward(self, images: Tensor, labels: Tensor) -> Tensor:
        clipped = clipped_gradient_sum(self.model, images, labels, self.clipping_norm)
        for name, parameter in self.model.named_parameters():
            parameter.grad = clipped.sums[name]
        return clipped.losses

    def _backward_nothing(self) -> None:
        for parameter in self.private.params:
            parameter.grad = torch.zeros_like(parameter)


class HooksStep(PrivateStep):
    """DP-SGD with Opacus's own per-sample gradients (`GradSampleModule`)."""

    def _prepare(self, model: nn.Module) -> nn.Module:
        from opacus import GradSampleModule

        hooked: nn.Module = GradSampleModule(model, loss_reduction="sum")
        return hooked

    def _optimizer_type(self) -> "type[DPOptimizer]":
        from opacus.optimizers import DPOptimizer

        kind: type[DPOptimizer] = DPOptimizer
        return kind

    def _backward(self, images: Tensor, labels: Tensor) -> Tensor:
        losses = F.cross_entropy(self.model(images), labels, reduction="none")
        losses.sum().backward()
        return losses.detach()

    def _backward_nothing(self) -> None:
        for parameter in self.private.params:
            parameter.grad_sample = parameter.new_zeros(0, *parameter.shape)


PRIVATE_STEPS: dict[str, type[PrivateStep]] = {"bookkeeping": BookKeepingStep, "hooks": HooksStep}
