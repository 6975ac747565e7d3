"""Layer rules: what one kind of layer contributes to per-sample gradients.

The gradient of one sample with respect to a layer's parameters is a function of only two things:
what went into the layer (the activation) and the gradient of the loss with respect to what came
out. A `LayerRule` holds that function for one layer type; `register_layer_rule` adds a new type.
"""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

Gradients = dict[str, Tensor]


class LayerRule:
    """Per-sample parameter gradients of one layer type.

    Activations and output gradients have `N * views` rows. `views` consecutive rows belong to one
    sample, whose gradient is the sum over its rows. Every method is given a `layer`, its
    `activation` (as returned by `run`: a tensor, or a tuple of tensors) and the `output_grad`;
    results are keyed by the layer's own parameter names.

    A new rule needs `per_sample_gradients` alone; the other methods are faster ways to get what
    follows from it. `per_sample_gradients` and `squared_norms` must be differentiable with respect
    to the activation and the output gradient, because PLIS differentiates them.
    """

    parameters: ClassVar[tuple[str, ...]] = ("weight", "bias")

    def run(self, layer: Any, inputs: Tensor) -> tuple[Any, Tensor]:
        """The activation to record and the layer's output, for one call of the layer."""
        return inputs, type(layer).forward(layer, inputs)

    def per_sample_gradients(
        self, layer: Any, activation: Any, output_grad: Tensor, views: int = 1
    ) -> Gradients:
        """Gradients `(N, *parameter.shape)`."""
        raise NotImplementedError

    def squared_norms(
        self, layer: Any, activation: Any, output_grad: Tensor, views: int = 1
    ) -> Gradients:
        """Squared L2 norms `(N,)` of the per-sample gradients."""
        gradients = self.per_sample_gradients(layer, activation, output_grad, views)
        return {name: g.flatten(1).square().sum(1) for name, g in gradients.items()}

    def weighted_gradients(
        self, layer: Any, activation: Any, output_grad: Tensor, weights: Tensor
    ) -> Gradients:
        """Sums of the rows' gradients, each multiplied by its entry of `weights` `(rows,)`."""
        gradients = self.per_sample_gradients(layer, activation, output_grad)
        return {name: torch.tensordot(weights, g, dims=1) for name, g in gradients.items()}

    def cancelling_squares(
        self, layer: Any, activation: Any, output_grad: Tensor, views: int = 1
    ) -> Tensor:
        """What the rounding of `squared_norms` and `weighted_gradients` is relative to, `(N,)`.

        A gradient is a sum of products over positions, which may cancel: the squares of what is
        summed, so scaled that they are about the squared norm where nothing cancels. Clipping forms
        the gradients of samples in which this is far above the squared norm. Infinity, if it is not
        known: always.
        """
        return output_grad.new_full((len(output_grad) // views,), math.inf)

    def forms_gradients(
        self, layer: Any, activation: Any, output_grad: Tensor, views: int = 1
    ) -> bool:
        """Whether clipping should form the per-sample gradients and weigh them.

        If not, it takes `squared_norms` first and `weighted_gradients` after.
        """
        return True


_RULES: dict[type[nn.Module], LayerRule] = {}


def register_layer_rule(layer_type: type[nn.Module], rule: LayerRule) -> None:
    """Use `rule` for layers of exactly this type (a subclass may compute something else)."""
    _RULES[layer_type] = rule


def registered_rules() -> dict[type[nn.Module], LayerRule]:
    """The rules by layer type, as they are now."""
    return dict(_RULES)


def rule_for(layer: nn.Module) -> LayerRule | None:
    """The rule of a layer; `None` if its type is unknown or this one has been customised."""
    rule = _RULES.get(type(layer))
    if rule is None or "forward" in layer.__dict__:
        return None
    names = {name for name, _ in layer.named_parameters(recurse=False)}
    return rule if names <= set(rule.parameters) else None


def squares_of_rows(rows: Tensor, views: int) -> Tensor:
    """Sums of squares `(N,)` of the `N * views` rows of a tensor."""
    norms: Tensor = torch.linalg.vector_norm(rows.flatten(1), dim=1)
    sums: Tensor = norms.square().view(-1, views).sum(1)
    return sums
