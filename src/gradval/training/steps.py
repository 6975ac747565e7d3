"""One optimiser step from the samples that Poisson sampling drew, privately or not.

A step is fed in physical batches (`accumulate`) and then taken (`update`). All kinds divide by the
same fixed denominator, the expected batch size; private ones clip each sample's gradient first and
add the noise of Opacus's optimizer to the sum.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradval.ghost import clipped_gradient_sum


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


class BookKeepingStep:
    """DP-SGD whose clipped sum is formed by book-keeping; noise and scaling are Opacus's."""

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
        # Imported here: Opacus takes seconds to import and non-private runs do not need it.
        from opacus.optimizers import DPOptimizerFastGradientClipping

        self.model = model
        self.optimizer = optimizer
        self.clipping_norm = clipping_norm
        self.private = DPOptimizerFastGradientClipping(
            optimizer,
            noise_multiplier=noise_multiplier,
            max_grad_norm=clipping_norm,
            expected_batch_size=expected_batch_size,
            generator=generator,
        )
        self._clear()

    def _clear(self) -> None:
        self.sums = {n: torch.zeros_like(p) for n, p in self.model.named_parameters()}

    def accumulate(self, images: Tensor, labels: Tensor) -> Tensor:
        clipped = clipped_gradient_sum(self.model, images, labels, self.clipping_norm)
        for name, total in clipped.sums.items():
            self.sums[name] += total
        return clipped.losses

    def update(self) -> None:
        for name, parameter in self.model.named_parameters():
            parameter.grad = self.sums[name]
        self.private.step()
        self.private.zero_grad(set_to_none=True)
        self._clear()


class HooksStep:
    """DP-SGD with Opacus's own per-sample gradients (`GradSampleModule`)."""

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
        from opacus import GradSampleModule
        from opacus.optimizers import DPOptimizer

        self.optimizer = optimizer
        self.model = GradSampleModule(model, loss_reduction="sum")
        self.private = DPOptimizer(
            optimizer,
            noise_multiplier=noise_multiplier,
            max_grad_norm=clipping_norm,
            expected_batch_size=expected_batch_size,
            generator=generator,
        )

    def accumulate(self, images: Tensor, labels: Tensor) -> Tensor:
        losses = F.cross_entropy(self.model(images), labels, reduction="none")
        losses.sum().backward()
        self.private.signal_skip_step(True)
        self.private.step()
        self.private.zero_grad(set_to_none=True)
        return losses.detach()

    def update(self) -> None:
        # An empty batch closes the step: it adds no gradient, and it is all there is to an empty
        # Poisson sample, which must still take its share of noise.
        for parameter in self.private.params:
            parameter.grad_sample = parameter.new_zeros(0, *parameter.shape)
        self.private.signal_skip_step(False)
        self.private.step()
        self.private.zero_grad(set_to_none=True)


PRIVATE_STEPS: dict[str, Callable[..., Step]] = {"bookkeeping": BookKeepingStep, "hooks": HooksStep}
