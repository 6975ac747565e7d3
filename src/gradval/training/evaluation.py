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


def recalls(
    model: nn.Module, images: NormalisedImages, labels: Tensor, batch_size: int = 512
) -> Tensor:
    """Share in [0, 1] of the images of each class that are classified correctly.

    Args:
        model, images, labels, batch_size: as in `evaluate`; the model is left as it was.

    Returns:
        `(K,)` float64 on the CPU, K one above the largest label; NaN for a class without images.
    """
    was_training = model.training
    model.eval()
    starts = range(0, len(images), batch_size)
    with torch.no_grad():
        answers = [model(images[start : start + batch_size]).argmax(1) for start in starts]
    model.train(was_training)
    right = (torch.cat(answers) == labels).double()
    return (torch.bincount(labels, right) / torch.bincount(labels)).cpu()
