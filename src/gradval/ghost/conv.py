"""Two-dimensional convolutions: any stride, padding, dilation and number of groups."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.grad import conv2d_input, conv2d_weight

from gradval.ghost.conv_norms import (
    Geometry,
    Pair,
    forming_is_cheaper,
    squared_weight_norms,
    weight_gradients,
)
from gradval.ghost.rules import Gradients, LayerRule, register_layer_rule, squares_of_rows


class Conv2dRule(LayerRule):
    """The activation is the input, already padded where padding is not plain zeros."""

    def run(self, layer: nn.Conv2d, inputs: Tensor) -> tuple[Tensor, Tensor]:
        inputs = padded(layer, inputs)
        geometry = conv_geometry(layer)
        return inputs, frozen_conv2d(inputs, layer.weight, layer.bias, geometry, layer.groups)

    def per_sample_gradients(
        self, layer: nn.Conv2d, activation: Tensor, output_grad: Tensor, views: int = 1
    ) -> Gradients:
        inputs = _split(activation, views, layer.groups)
        grads = _split(output_grad, views, layer.groups)
        weights = weight_gradients(inputs, grads, conv_geometry(layer))
        gradients = {"weight": weights.view(-1, *layer.weight.shape)}
        if layer.bias is not None:
            gradients["bias"] = bias_gradients(output_grad, views)
        return gradients

    def squared_norms(
        self, layer: nn.Conv2d, activation: Tensor, output_grad: Tensor, views: int = 1
    ) -> Gradients:
        inputs = _split(activation, views, layer.groups)
        grads = _split(output_grad, views, layer.groups)
        groups = squared_weight_norms(inputs, grads, conv_geometry(layer))
        norms = {"weight": groups.view(-1, layer.groups).sum(1)}
        if layer.bias is not None:
            norms["bias"] = bias_gradients(output_grad, views).square().sum(1)
        return norms

    def weighted_gradients(
        self, layer: nn.Conv2d, activation: Tensor, output_grad: Tensor, weights: Tensor
    ) -> Gradients:
        g = conv_geometry(layer)
        grads = output_grad * weights[:, None, None, None]
        gradients = {
            "weight": conv2d_weight(
                activation,
                layer.weight.shape,
                grads,
                g.stride,
                g.padding,
                g.dilation,
                layer.groups,
            )
        }
        if layer.bias is not None:
            gradients["bias"] = grads.sum((0, 2, 3))
        return gradients

    def cancelling_squares(
        self, layer: nn.Conv2d, activation: Tensor, output_grad: Tensor, views: int = 1
    ) -> Tensor:
        kernel_size = layer.weight[0, 0].numel()
        positions = views * output_grad[0, 0].numel()
        # Each pixel is read at most once at each place of the kernel.
        inputs = kernel_size * squares_of_rows(activation, views) / positions
        return squares_of_rows(output_grad, views) * (inputs + 1)

    def forms_gradients(
        self, layer: nn.Conv2d, activation: Tensor, output_grad: Tensor, views: int = 1
    ) -> bool:
        inputs = _split(activation, views, layer.groups)
        grads = _split(output_grad, views, layer.groups)
        return forming_is_cheaper(inputs, grads, conv_geometry(layer))


def padded(layer: nn.Conv2d, inputs: Tensor) -> Tensor:
    """The input as the convolution of `conv_geometry` takes it."""
    if layer.padding_mode != "zeros":
        return F.pad(inputs, layer._reversed_padding_repeated_twice, mode=layer.padding_mode)
    (top, left), (bottom, right) = before, after = _zero_padding(layer)
    return inputs if before == after else F.pad(inputs, (left, right, top, bottom))


def conv_geometry(layer: nn.Conv2d) -> Geometry:
    """Geometry of the convolution of a recorded activation with the layer's weight.

    Read from what the layer's forward reads, which code may have changed since construction.
    """
    before, after = _zero_padding(layer)
    pads_by_itself = layer.padding_mode == "zeros" and before == after
    return Geometry(
        kernel=_kernel(layer),
        stride=_pair(layer.stride),
        padding=before if pads_by_itself else (0, 0),
        dilation=_pair(layer.dilation),
    )


def _zero_padding(layer: nn.Conv2d) -> tuple[Pair, Pair]:
    """Rows and columns of zeros before and after the image, in the mode "zeros"."""
    if not isinstance(layer.padding, str):
        return _pair(layer.padding), _pair(layer.padding)
    if layer.padding == "valid":
        return (0, 0), (0, 0)
    rows, columns = (
        d * (k - 1) for d, k in zip(_pair(layer.dilation), _kernel(layer), strict=True)
    )
    before = rows // 2, columns // 2
    return before, (rows - before[0], columns - before[1])


def _kernel(layer: nn.Conv2d) -> Pair:
    return _pair(layer.weight.shape[2:])


def _pair(size: int | Sequence[int]) -> Pair:
    sizes = (size,) if isinstance(size, int) else size
    return sizes[0], sizes[-1]


def _split(rows: Tensor, views: int, groups: int) -> Tensor:
    """`(N V, G C, H, W)` as `(N G, V, C, H, W)`."""
    rows = rows.unflatten(0, (-1, views)).unflatten(2, (groups, -1))
    return rows.transpose(1, 2).flatten(0, 1)


def bias_gradients(output_grad: Tensor, views: int) -> Tensor:
    """Per-sample gradients `(N, O)` of a bias, the sums over a sample's pixels and views."""
    rows = output_grad.sum((2, 3))
    return rows.view(-1, views, rows.shape[1]).sum(1)


def frozen_conv2d(
    inputs: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry, groups: int
) -> Tensor:
    """Convolution differentiable (any number of times) with respect to its input only.

    PyTorch's own double backward forms a weight gradient whether wanted or not, about a quarter of
    the time of a PLIS pass.
    """
    output: Tensor = _FrozenConv.apply(inputs, weight, bias, geometry, groups)
    return output


class _FrozenConv(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry, groups: int
    ) -> Tensor:
        ctx.shape, ctx.geometry, ctx.groups = x.shape, geometry, groups
        ctx.save_for_backward(weight)
        return F.conv2d(
            x, weight, bias, geometry.stride, geometry.padding, geometry.dilation, groups
        )

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        (weight,) = ctx.saved_tensors
        grad_x = _FrozenConvBackward.apply(grad, weight, ctx.shape, ctx.geometry, ctx.groups)
        return grad_x, None, None, None, None


class _FrozenConvBackward(Function):
    @staticmethod
    def forward(
        ctx: Any, grad: Tensor, weight: Tensor, shape: Any, geometry: Geometry, groups: int
    ) -> Tensor:
        ctx.geometry, ctx.groups = geometry, groups
        ctx.save_for_backward(weight)
        grad_x: Tensor = conv2d_input(
            shape, weight, grad, geometry.stride, geometry.padding, geometry.dilation, groups
        )
        return grad_x

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> tuple[Any, ...]:
        (weight,) = ctx.saved_tensors
        return frozen_conv2d(v, weight, None, ctx.geometry, ctx.groups), None, None, None, None


register_layer_rule(nn.Conv2d, Conv2dRule())
