"""Loss and accuracy of a model on a data set."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradval.data.images import NormalisedImages


@dataclass(frozen=True)
class Evaluation:
    """Mean cross-entropy in nats, and the share in [0, 1] of images classified correctly."""

    loss: float
    accuracy: float


@torch.no_grad()
def evaluate(
    model: nn.Module, images: NormalisedImages, labels: Tensor, batch_size: int = 512
) -> Evaluation:
    """Evaluate `model` on un-augmented images, in evaluation mode, which is then restored.

    Args:
        model: maps `(n, C, H, W)` to logits `(n, K)`.
        images: `(N, C, H, W)`, N > 0.
        labels: `(N,)` int64 on the device of `images`.
        batch_size: images at a time; does not change the result beyond rounding.
    """
    was_training = model.training
    model.eval()
    loss = correct = 0.0
    for start in range(0, len(images), batch_size):
        batch = slice(start, start + batch_size)
        logits = model(images[batch])
        loss += F.cross_entropy(logits, labels[batch], reduction="sum").item()
        correct += (logits.argmax(1) == labels[batch]).sum().item()
    model.train(was_training)
    return Evaluation(loss / len(images), correct / len(images))
