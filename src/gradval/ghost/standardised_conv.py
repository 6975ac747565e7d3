"""Convolutions with standardised weights, without forming gradients.

With g a sample's gradient with respect to a standardised filter v, and s the scale of that filter,
the gradient with respect to the raw filter of n weights is `(g - mean(g) - v <v, g>) / s`. As v is
centred, its squared norm is

    ( |g|^2 - (sum g)^2 / n - (2 - |v|^2) <v, g>^2 ) / s^2

and both extra terms follow from what passed the layer: `<v, g>` is the inner product of output and
output gradient, and `sum g` that of the output gradient and the sums of the pixels' patches.
"""

import torch
from torch import Tensor

from gradval.ghost.conv import (
    Conv2dRule,
    bias_gradients,
    conv_geometry,
    frozen_conv2d,
    padded,
)
from gradval.ghost.rules import Gradients, LayerRule, register_layer_rule
from gradval.models.weight_standardisation import (
    StandardisedConv2d,
    raw_gradients,
    scales,
    standardise,
)

Recorded = tuple[Tensor, Tensor]


class StandardisedConv2dRule(LayerRule):
    """The activation is the (padded) input, and the output before the bias."""

    plain = Conv2dRule()

    def run(self, layer: StandardisedConv2d, inputs: Tensor) -> tuple[Recorded, Tensor]:
        inputs, weight = padded(layer, inputs), standardise(layer.weight)
        output = frozen_conv2d(inputs, weight, None, conv_geometry(layer), layer.groups)
        biased = output if layer.bias is None else output + layer.bias[:, None, None]
        return (inputs, output), biased

    def per_sample_gradients(
        self, layer: StandardisedConv2d, activation: Recorded, output_grad: Tensor, views: int = 1
    ) -> Gradients:
        gradients = self.plain.per_sample_gradients(layer, activation[0], output_grad, views)
        return gradients | {"weight": raw_gradients(layer.weight, gradients["weight"])}

    def squared_norms(
        self, layer: StandardisedConv2d, activation: Recorded, output_grad: Tensor, views: int = 1
    ) -> Gradients:
        inputs, output = activation
        filters = layer.weight.flatten(1)
        scaled = output_grad / scales(filters).view(-1, 1, 1)
        norms = self.plain.squared_norms(layer, inputs, scaled, views)
        sums = _products(scaled, _patch_sums(layer, inputs), views)
        along = _products(scaled, output, views)
        shrinkage = 2 - standardise(layer.weight).flatten(1).square().sum(1)
        removed = sums.square() / filters.shape[1] + shrinkage * along.square()
        norms["weight"] = norms["weight"] - removed.sum(1)
        if layer.bias is not None:
            norms["bias"] = bias_gradients(output_grad, views).square().sum(1)
        return norms

    def weighted_gradients(
        self, layer: StandardisedConv2d, activation: Recorded, output_grad: Tensor, weights: Tensor
    ) -> Gradients:
        gradients = self.plain.weighted_gradients(layer, activation[0], output_grad, weights)
        return gradients | {"weight": raw_gradients(layer.weight, gradients["weight"])}

    def cancelling_squares(
        self, layer: StandardisedConv2d, activation: Recorded, output_grad: Tensor, views: int = 1
    ) -> Tensor:
        scaled = output_grad / scales(layer.weight.flatten(1)).clamp(max=1).view(-1, 1, 1)
        return self.plain.cancelling_squares(layer, activation[0], scaled, views)

    def forms_gradients(
        self, layer: StandardisedConv2d, activation: Recorded, output_grad: Tensor, views: int = 1
    ) -> bool:
        return self.plain.forms_gradients(layer, activation[0], output_grad, views)


def _patch_sums(layer: StandardisedConv2d, inputs: Tensor) -> Tensor:
    """Sum of the inputs under the kernel at each output pixel, `(rows, groups, H', W')`."""
    channels = inputs.unflatten(1, (layer.groups, -1)).sum(2)
    ones = torch.ones_like(layer.weight[: layer.groups, :1])
    return frozen_conv2d(channels, ones, None, conv_geometry(layer), layer.groups)


def _products(grads: Tensor, maps: Tensor, views: int) -> Tensor:
    """Inner products over a sample's pixels `(N, O)`, one map serving consecutive channels.

    Args:
        grads: `(N * views, O, H, W)`.
        maps: `(N * views, M, H, W)`, M a divisor of O.
        views: rows of a sample.
    """
    rows = grads.unflatten(1, (maps.shape[1], -1)).flatten(3)
    products = torch.matmul(rows, maps.flatten(2).unsqueeze(-1))
    return products.view(-1, views, grads.shape[1]).sum(1)


register_layer_rule(StandardisedConv2d, StandardisedConv2dRule())
