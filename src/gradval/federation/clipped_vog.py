"""VoG of clipped gradients: what the variance query is asked about."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from gradval.data.images import NormalisedImages
from gradval.scores.input_gradients import input_gradients


def clipped_vog(
    checkpoints: Iterable[nn.Module],
    images: NormalisedImages,
    labels: Tensor,
    bound: float,
    batch_size: int = 512,
) -> Tensor:
    """VoG of the loss (Eq. 2 as printed) of gradients that are clipped to [-bound, bound].

    Args:
        checkpoints: K >= 2 models in the order of training; iterated over once a batch.
        images, labels: `(N, C, H, W)` and `(N,)`.
        bound: of each pixel's gradient.
        batch_size: samples at a time; does not change the result.

    Returns:
        `(N,)` on the CPU.
    """
    found = []
    for start in range(0, len(images), batch_size):
        batch = slice(start, start + batch_size)
        shown, true = images[batch], labels[batch].to(images.device)
        maps = [
            input_gradients(model, shown, true, "loss", first=start).clamp(-bound, bound)
            for model in checkpoints
        ]
        found.append(printed_vog(torch.stack(maps)).cpu())
    return torch.cat(found)


def printed_vog(maps: Tensor) -> Tensor:
    """Eq. 2 of the paper: `(K, N, C, H, W)` gradients to `(N,)`.

    Raises:
        ValueError: there are fewer than two gradients of a sample.
    """
    if len(maps) < 2:
        raise ValueError(f"VoG needs at least 2 checkpoints, but there are {len(maps)}")
    squares = (maps - maps.mean(0)).square().sum(0) / math.sqrt(len(maps))
    return squares.mean((1, 2, 3))
