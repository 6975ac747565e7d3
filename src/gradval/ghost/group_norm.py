"""Affine normalisation layers: GroupNorm, LayerNorm, InstanceNorm.

The recorded activation is the normalised input, so that the gradients of scale and shift are sums
of `output_grad * activation` and of `output_grad`.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from gradval.ghost.batch_norm import ChannelNormRule, normalise_by_constants
from gradval.ghost.rules import Gradients, LayerRule, register_layer_rule


class GroupNormRule(ChannelNormRule):
    def normalise(self, layer: nn.GroupNorm, inputs: Tensor) -> Tensor:
        return normalise_groups(inputs, layer.num_groups, layer.eps)


class InstanceNormRule(ChannelNormRule):
    """InstanceNorm; with running statistics, which are constants in evaluation mode, as those."""

    def normalise(self, layer: nn.InstanceNorm2d, inputs: Tensor) -> Tensor:
        if layer.track_running_stats:
            return normalise_by_constants(layer, inputs)
        return F.instance_norm(inputs, eps=layer.eps)


class LayerNormRule(LayerRule):
    def run(self, layer: nn.LayerNorm, inputs: Tensor) -> tuple[Tensor, Tensor]:
        activation = F.layer_norm(inputs, layer.normalized_shape, eps=layer.eps)
        output = activation * layer.weight
        return activation, output if layer.bias is None else output + layer.bias

    def per_sample_gradients(
        self, layer: nn.LayerNorm, activation: Tensor, output_grad: Tensor, views: int = 1
    ) -> Gradients:
        def per_sample(rows: Tensor) -> Tensor:
            return rows.reshape(rows.shape[0] // views, -1, *layer.normalized_shape).sum(1)

        gradients = {"weight": per_sample(output_grad * activation)}
        if layer.bias is not None:
            gradients["bias"] = per_sample(output_grad)
        return gradients


def normalise_groups(inputs: Tensor, groups: int, eps: float) -> Tensor:
    """Group normalisation without affine part, with a hand-written double backward.

    Args:
        inputs: `(N, C, ...)`.
        groups: number of groups, a divisor of C.
        eps: added to the variance.

    Returns:
        `(inputs - mean) / sqrt(variance + eps)` per sample and group, of the shape of `inputs`.
    """
    normalised: Tensor = _NormaliseGroups.apply(inputs, groups, eps)[0]
    return normalised


class _NormaliseGroups(Function):
    """y = r (x - mean), r = 1/std. Both are outputs, so that the gradient of the backward, which
    is a function of y and r, finds its way through both."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, groups: int, eps: float) -> tuple[Tensor, Tensor]:
        n, c, pixels = x.shape[0], x.shape[1], x[0, 0].numel()
        # The operator refuses other layouts, which the layer accepts.
        y, _, r = torch.native_group_norm(x.contiguous(), None, None, n, c, pixels, groups, eps)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(y, r)
        return y, r

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor | None, grad_r: Tensor | None) -> tuple[Any, ...]:
        y, r = ctx.saved_tensors
        grad_x = None if grad_y is None else _NormaliseGroupsBackward.apply(grad_y, y, r)
        if grad_r is not None:
            rows = y.reshape(*r.shape, -1)
            # dr/dx = -r^2 y / n
            from_r = (rows * (grad_r * r.square() / -rows.shape[-1]).unsqueeze(-1)).view_as(y)
            grad_x = from_r if grad_x is None else grad_x + from_r
        return grad_x, None, None


class _NormaliseGroupsBackward(Function):
    """dx = r (h - mean(h) - y mean(h y)), differentiable in h, y and r."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, y: Tensor, r: Tensor) -> Tensor:
        h_rows, y_rows = h.reshape(*r.shape, -1), y.reshape(*r.shape, -1)
        mean_h, mean_hy = _mean(h_rows), _mean(h_rows * y_rows)
        ctx.save_for_backward(h, y, r, mean_h, mean_hy)
        # In place, because allocating large temporaries costs more than the arithmetic.
        dx = (h_rows - mean_h).addcmul_(y_rows, mean_hy, value=-1).mul_(r.unsqueeze(-1))
        return dx.view_as(h)

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h, y, r, mean_h, mean_hy = ctx.saved_tensors
        h_rows, y_rows, v_rows = (t.reshape(*r.shape, -1) for t in (h, y, v))
        r_ = r.unsqueeze(-1)
        mean_v, mean_vy, mean_vh = _mean(v_rows), _mean(v_rows * y_rows), _mean(v_rows * h_rows)
        dh = (v_rows - mean_v).addcmul_(y_rows, mean_vy, value=-1).mul_(r_)
        dy = (v_rows * (-r_ * mean_hy)).addcmul_(h_rows, -r_ * mean_vy)
        dr = h_rows.shape[-1] * (mean_vh - mean_v * mean_h - mean_vy * mean_hy)
        return dh.view_as(h), dy.view_as(y), dr.squeeze(-1)


def _mean(rows: Tensor) -> Tensor:
    return rows.mean(-1, keepdim=True)


register_layer_rule(nn.GroupNorm, GroupNormRule())
register_layer_rule(nn.LayerNorm, LayerNormRule())
for _instance_norm in (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d):
    register_layer_rule(_instance_norm, InstanceNormRule())
