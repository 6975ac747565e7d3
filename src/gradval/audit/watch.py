"""The study's own training, watched step by step.

Who watches is whom the accountant guards against: everyone who sees the weights after every step
and knows the recipe. From two successive weights they compute the noisy sum of gradients that the
optimiser was given; nothing is read that the weights do not tell.
"""

from typing import Any

import torch
from torch import Tensor

from gradval.audit.canaries import CanaryModel, in_places
from gradval.training.loop import Trainer

# Of the noise in a layer, in clipping norms: a layer without noise tells all, but not infinitely.
_LEAST_NOISE = 1e-3


class WatchedTrainer(Trainer):
    """A `Trainer` of a `CanaryModel` that leaves out absent canaries and records every step.

    Args:
        model, data, phase, recipe, options: as of `Trainer`; the phase's samples are images and
            canaries.
        present: bool `(N + m,)`, which of them are there. One that is absent is never in a batch,
            as if it were not in the data; rate and denominator are the plan's in any case.

    Attributes:
        seen: one entry a step, float32 `(places,)`: the noisy sum at each place in units of the
            clipping norm, 1 plus noise for a canary that took part.
    """

    def __init__(self, model: CanaryModel, *others: Any, present: Tensor, **options: Any) -> None:
        self.canary_model, self.present = model, present
        self.seen: list[Tensor] = []
        self._momentum: Tensor | None = None
        super().__init__(model, *others, **options)

    def _sample(self) -> Tensor:
        """Positions of the samples of a step, whether they are there or not."""
        return super()._draw()

    def _draw(self) -> Tensor:
        drawn = self._sample()
        return drawn[self.present[drawn]]

    def _take_step(self) -> None:
        step, recipe = self.progress.step, self.recipe
        before = self._sinks()
        super()._take_step()
        after = self._sinks()
        # The update is -rate * velocity, velocity = momentum * the last one + decay * weight + mean
        velocity = (before - after) / recipe.learning_rate_at(step, self.phase.steps)
        mean = velocity - recipe.weight_decay * before
        if self._momentum is not None:
            mean -= recipe.momentum * self._momentum
        self._momentum = velocity
        sums = mean * self.phase.expected_batch_size / recipe.clipping_norm
        self.seen.append(joined(sums, self.canary_model.canaries))

    def _sinks(self) -> Tensor:
        return in_places(list(self.canary_model.sinks.parameters()), self.canary_model.places)

    def _state(self) -> dict[str, Any]:
        watched = {"seen": self.seen, "momentum": self._momentum}
        return {**super()._state(), "watched": watched}

    def _restore(self, state: dict[str, Any], checkpoints: list[dict[str, Tensor]]) -> None:
        super()._restore(state, checkpoints)
        self.seen, self._momentum = state["watched"]["seen"], state["watched"]["momentum"]


def joined(sums: Tensor, canaries: int) -> Tensor:
    """One number a place from those of all layers, as precise as their noise allows.

    A canary that takes part has -1 / sqrt(L) in each of L layers. What is best to make of them, if
    the noise is not everywhere the same, is learnt from the places that are empty.

    Args:
        sums: float64 `(L, places)`, noisy sums in clipping norms.
        canaries: the places before the empty ones.

    Returns:
        float32 `(places,)`: 1 for a canary that took part, 0 for none, plus noise.
    """
    layers = len(sums)
    noise = torch.cov(sums[:, canaries:]) + _LEAST_NOISE**2 * torch.eye(layers).double()
    weights = torch.linalg.solve(noise, torch.ones(layers, dtype=torch.float64))
    weights *= layers**0.5 / weights.sum()
    found: Tensor = -weights @ sums
    return found.float()
