"""VoG: variance of input gradients over training (Eq. 2; Agarwal et al. 2022)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from gradval.scores.registry import Score, ScoreOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gradval.scores.context import ScoringContext
    from gradval.scores.validation import Images


class VogOptions(ScoreOptions):
    """Which variance of which gradient."""

    target: Literal["loss", "logit"] = "loss"
    """gradient of the loss (the paper) or of the true class's logit (Agarwal et al.)"""
    statistic: Literal["printed", "std"] = "printed"
    """as the paper prints it, sqrt(1/K) * sum; or std, sqrt(sum / K)"""
    channels: Literal["separate", "averaged"] = "separate"
    """separate (the paper), or averaged before the variance (Agarwal et al.'s code)"""


def _vog(context: ScoringContext, options: VogOptions) -> Tensor:
    from gradval.scores.input_gradients import input_gradients

    maps = (
        input_gradients(
            checkpoint, context.images, context.labels, options.target, first=context.first
        )
        for checkpoint in context.checkpoints
    )
    if options.channels == "averaged":
        maps = (gradients.mean(1, keepdim=True) for gradients in maps)
    squares, count = _squared_deviations(maps)
    if options.statistic == "printed":
        per_pixel = squares / math.sqrt(count)
    else:
        per_pixel = (squares / count).sqrt()
    return per_pixel.mean((1, 2, 3))


def _squared_deviations(maps: Iterable[Tensor]) -> tuple[Tensor, int]:
    """Sum of squared deviations from the mean, by Welford's update, and the number of maps.

    Two accumulators of the size of one map, whatever their number.

    Raises:
        ValueError: there are fewer than two maps.
    """
    import torch

    count = 0
    for count, values in enumerate(maps, start=1):
        if count == 1:
            # On the device of the maps: CUDA's addcmul takes no scalar of the CPU.
            mean, squares = values, torch.zeros_like(values)
            continue
        deviations = values - mean
        mean = mean + deviations / count
        squares = torch.addcmul(squares, deviations, values - mean)
    if count < 2:
        raise ValueError(f"VoG needs at least 2 checkpoints, but there are {count}")
    return squares, count


SCORE = Score(_vog, order=0, options=VogOptions)


def vog_scores(
    models: Iterable[nn.Module],
    images: Images,
    labels: Tensor,
    target: str = "loss",
    statistic: str = "printed",
    *,
    channels: str = "separate",
    batch_size: int | None = None,
    progress: bool = False,
) -> Tensor:
    """Variance of gradients over K checkpoints, the mean over an image's pixels and channels.

    With S_t the gradient of the target with respect to a pixel at checkpoint t and m its mean over
    t, a pixel has `sqrt(1/K) * sum_t (S_t - m)^2` as Eq. 2 of the paper prints it, or the standard
    deviation `sqrt(sum_t (S_t - m)^2 / K)` as in the code of Agarwal et al. The latter also take
    the logit as target and average the channels first.

    Args:
        models: K >= 2 checkpoints in the order of training, each mapping `(N, C, H, W)` to logits;
            run in evaluation mode and left as they were. Iterated over once a batch, so it may
            load the weights of each into one and the same module. A one-shot iterator must give
            distinct modules.
        images: `(N, C, H, W)` floating, or an object that loads such slices; not augmented.
        labels: `(N,)` integers in `0..K-1`.
        target: "loss" (the paper) or "logit" of the true class.
        statistic: "printed" (the paper) or "std".
        channels: "separate" (the paper), or "averaged" before the statistic.
        batch_size: samples at a time; `None` for as many as fit. Does not change the result.
        progress: whether to show a progress bar.

    Returns:
        `(N,)` on the CPU in the models' dtype, at least 0; empty for no samples.

    Raises:
        ValueError: fewer than two checkpoints, an unknown option, a model mixes samples
            (BatchNorm), the input is not of these shapes, types and ranges or not finite, or a
            score is not finite.
    """
    from gradval.scores.compute import compute_score, reiterable

    models = reiterable(models)
    first = next(iter(models), None)
    if first is None:
        raise ValueError("VoG needs at least 2 checkpoints, but there are 0")
    return compute_score(
        "vog",
        first,
        images,
        labels,
        checkpoints=models,
        options={"target": target, "statistic": statistic, "channels": channels},
        batch_size=batch_size,
        progress=progress,
    )
