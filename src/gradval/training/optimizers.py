"""The update of a step, and the noise of DP-SGD before it.

`torch.optim.SGD` and Opacus's optimizers do the same but for the noise (`gradval.privacy.noise`).
But the first imports PyTorch's compiler when it is made, the others are part of Opacus, and either
takes longer to import than a small model trains.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from gradval.privacy.noise import GaussianNoise, privatise

# Parameters for which noise is drawn together: to draw for few takes as long as for thousands, and
# for all would take eight bytes for each.
_TOGETHER = 1 << 20


class SGD:
    """Stochastic gradient descent with momentum: PyTorch's own update and `torch.optim.SGD`'s form.

    Args:
        parameters: trained in place.
        lr: learning rate; `param_groups[0]["lr"]` may be changed at any time.
        momentum: in [0, 1).
        weight_decay: L2 penalty.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        self.param_groups: list[dict[str, Any]] = [
            {
                "params": list(parameters),
                "lr": lr,
                "momentum": momentum,
                "weight_decay": weight_decay,
            }
        ]
        self._momenta: dict[int, Tensor] = {}

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        (group,) = self.param_groups
        moved = [(i, p) for i, p in enumerate(group["params"]) if p.grad is not None]
        momenta = [self._momenta.get(i) for i, _ in moved]
        sgd(
            [p for _, p in moved],
            [p.grad for _, p in moved],
            momenta,
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            lr=group["lr"],
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )
        for (i, _), momentum in zip(moved, momenta, strict=True):
            if momentum is not None:
                self._momenta[i] = momentum

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.param_groups[0]["params"]:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on bit by bit."""
        return {"momenta": dict(self._momenta)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        parameters = self.param_groups[0]["params"]
        self._momenta = {i: m.to(parameters[i]).clone() for i, m in state["momenta"].items()}


class NoisySums:
    """Adds up sums of clipped gradients, adds the noise once a step, and divides.

    Args:
        optimizer: takes the step.
        noise_multiplier: standard deviation of the noise / clipping norm.
        clipping_norm: L2 norm to which each sample's gradient was clipped.
        expected_batch_size: the fixed denominator.
        noise: source of the noise, on the device of the parameters.

    Attributes:
        params: the parameters that are trained.
        sums: what was taken up since the last step, one a parameter; `None` for nothing.
        loss_reduction: what Opacus's losses that clip want to know.
    """

    loss_reduction = "mean"

    def __init__(
        self,
        optimizer: SGD,
        *,
        noise_multiplier: float,
        clipping_norm: float,
        expected_batch_size: float,
        noise: GaussianNoise,
    ) -> None:
        self.optimizer = optimizer
        self.noise_multiplier = noise_multiplier
        self.clipping_norm = clipping_norm
        self.expected_batch_size = expected_batch_size
        self.noise = noise
        self.params = [
            parameter
            for group in optimizer.param_groups
            for parameter in group["params"]
            if parameter.requires_grad
        ]
        self.sums: list[Tensor] | None = None

    def add_up(self) -> None:
        """Take up the sums in `.grad`, of all parameters, and leave none there."""
        gradients = []
        for parameter in self.params:
            assert parameter.grad is not None
            gradients.append(parameter.grad)
            parameter.grad = None
        if self.sums is None:
            self.sums = gradients
        else:
            torch._foreach_add_(self.sums, gradients)

    def zero_grad(self) -> None:
        """Forget the gradients that have not been taken up."""
        self.optimizer.zero_grad()

    def step(self) -> None:
        """Take the step with all that was taken up, which may be nothing, and its noise."""
        sums = self.sums or [torch.zeros_like(parameter) for parameter in self.params]
        # Each sum has its noise once.
        self.sums = None
        deviation = self.noise_multiplier * self.clipping_norm
        for positions in _together(self.params):
            sizes = [self.params[i].numel() for i in positions]
            draws = self.noise.integers(sum(sizes)).split(sizes)
            for i, drawn in zip(positions, draws, strict=True):
                noisy = privatise(sums[i], drawn, deviation).view_as(self.params[i])
                self.params[i].grad = noisy / self.expected_batch_size
        self.optimizer.step()
        self.optimizer.zero_grad()


def _together(parameters: Iterable[Tensor]) -> Iterator[list[int]]:
    """Positions of consecutive parameters, in lists that end once they hold enough elements."""
    together: list[int] = []
    elements = 0
    for position, parameter in enumerate(parameters):
        together.append(position)
        elements += parameter.numel()
        if elements >= _TOGETHER:
            yield together
            together, elements = [], 0
    if together:
        yield together
