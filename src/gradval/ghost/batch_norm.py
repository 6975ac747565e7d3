"""BatchNorm by running statistics, which are constants: an affine map of each channel.

So is InstanceNorm with running statistics. Both are separable in evaluation mode only, and
`gradval.ghost.separability` refuses them in any other.
"""

from typing import Any

from torch import Tensor, nn

from gradval.ghost.rules import Gradients, LayerRule, register_layer_rule


class ChannelNormRule(LayerRule):
    """Layers with one scale and one shift a channel, the channel being dimension 1."""

    def normalise(self, layer: Any, inputs: Tensor) -> Tensor:
        """The layer's output before scale and shift."""
        raise NotImplementedError

    def run(self, layer: Any, inputs: Tensor) -> tuple[Tensor, Tensor]:
        activation = self.normalise(layer, inputs)
        shape = (-1,) + (1,) * (inputs.dim() - 2)
        # Several times faster than `addcmul`, which is slow on operands that broadcast.
        output = activation * layer.weight.view(shape)
        return activation, output if layer.bias is None else output.add_(layer.bias.view(shape))

    def per_sample_gradients(
        self, layer: Any, activation: Tensor, output_grad: Tensor, views: int = 1
    ) -> Gradients:
        def per_sample(rows: Tensor) -> Tensor:
            channels = rows.flatten(2).sum(2) if rows.dim() > 2 else rows
            return channels.view(-1, views, channels.shape[1]).sum(1)

        gradients = {"weight": per_sample(output_grad * activation)}
        if layer.bias is not None:
            gradients["bias"] = per_sample(output_grad)
        return gradients


class BatchNormRule(ChannelNormRule):
    """The recorded activation is the normalised input, as for GroupNorm."""

    def normalise(self, layer: Any, inputs: Tensor) -> Tensor:
        return normalise_by_constants(layer, inputs)


def normalise_by_constants(layer: Any, inputs: Tensor) -> Tensor:
    """`(inputs - running_mean) / sqrt(running_var + eps)`, the channel being dimension 1."""
    shape = (-1,) + (1,) * (inputs.dim() - 2)
    mean: Tensor = layer.running_mean
    scale: Tensor = (layer.running_var + layer.eps).rsqrt()
    # In place: a second temporary of this size costs more than the arithmetic.
    return (inputs - mean.view(shape)).mul_(scale.view(shape))


for _batch_norm in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm):
    register_layer_rule(_batch_norm, BatchNormRule())
