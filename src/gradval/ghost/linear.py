"""Linear layers, applied to vectors or to any number of positions per sample."""

import torch
from torch import Tensor, nn

from gradval.ghost.rules import Gradients, LayerRule, register_layer_rule, squares_of_rows


class LinearRule(LayerRule):
    """`z = a W^T + b`: the gradient of a row is the outer product of `dl/dz` and `a`."""

    def per_sample_gradients(
        self, layer: nn.Linear, activation: Tensor, output_grad: Tensor, views: int = 1
    ) -> Gradients:
        inputs, grads = _positions(activation, views), _positions(output_grad, views)
        return _with_bias(layer, torch.bmm(grads.transpose(1, 2), inputs), grads.sum(1))

    def squared_norms(
        self, layer: nn.Linear, activation: Tensor, output_grad: Tensor, views: int = 1
    ) -> Gradients:
        inputs, grads = _positions(activation, views), _positions(output_grad, views)
        if inputs.shape[1] == 1:
            weight = inputs.square().sum((1, 2)) * grads.square().sum((1, 2))
        elif _gram_is_cheaper(layer, inputs.shape[1]):
            # ||sum_t g_t a_t^T||^2 = sum_{s,t} <a_s, a_t> <g_s, g_t>
            weight = (_gram(inputs) * _gram(grads)).sum((1, 2))
        else:
            weight = torch.bmm(grads.transpose(1, 2), inputs).square().sum((1, 2))
        return _with_bias(layer, weight, grads.sum(1).square().sum(1))

    def weighted_gradients(
        self, layer: nn.Linear, activation: Tensor, output_grad: Tensor, weights: Tensor
    ) -> Gradients:
        weighted = (output_grad.movedim(0, -1) * weights).movedim(-1, 0).flatten(0, -2)
        return _with_bias(layer, weighted.T @ activation.flatten(0, -2), weighted.sum(0))

    def cancelling_squares(
        self, layer: nn.Linear, activation: Tensor, output_grad: Tensor, views: int = 1
    ) -> Tensor:
        positions = output_grad.numel() // (len(output_grad) // views * output_grad.shape[-1])
        grads = squares_of_rows(output_grad, views)
        if positions == 1:
            # A single outer product cancels nothing.
            return torch.zeros_like(grads)
        return grads * (squares_of_rows(activation, views) / positions + 1)

    def forms_gradients(
        self, layer: nn.Linear, activation: Tensor, output_grad: Tensor, views: int = 1
    ) -> bool:
        return False


def _positions(rows: Tensor, views: int) -> Tensor:
    """`(N * views, ..., D)` as `(N, T, D)`."""
    return rows.reshape(rows.shape[0] // views, -1, rows.shape[-1])


def _gram(vectors: Tensor) -> Tensor:
    return torch.bmm(vectors, vectors.transpose(1, 2))


def _gram_is_cheaper(layer: nn.Linear, positions: int) -> bool:
    inputs, outputs = layer.in_features, layer.out_features
    return positions * (inputs + outputs) < inputs * outputs


def _with_bias(layer: nn.Linear, weight: Tensor, bias: Tensor) -> Gradients:
    return {"weight": weight} if layer.bias is None else {"weight": weight, "bias": bias}


register_layer_rule(nn.Linear, LinearRule())
