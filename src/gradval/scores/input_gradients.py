"""Gradients of samples with respect to their images."""

from torch import Tensor, nn

from gradval import ghost
from gradval.scores.evaluation import evaluating


def input_gradients(
    model: nn.Module, images: Tensor, labels: Tensor, target: str, *, first: int = 0
) -> Tensor:
    """Gradient of each sample's target with respect to its image.

    Args:
        model: maps images to logits; run in evaluation mode and left as it was.
        images: `(N, C, H, W)` floating, on the model's device and in its dtype.
        labels: `(N,)` int64.
        target: "loss" for the cross-entropy, "logit" for the true class's logit.
        first: index of the first sample, for messages.

    Returns:
        `(N, C, H, W)`.

    Raises:
        ValueError: the model cannot be scored, its logits are not finite, or a label is not one of
            its classes.
    """
    with evaluating(model) as plain:
        return ghost.input_gradients(plain, images, labels, target, first=first)
