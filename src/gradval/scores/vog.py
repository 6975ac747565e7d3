"""VoG: variance of input gradients over training (Eq. 2; Agarwal et al. 2022)."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from gradval.ghost import check_labels, check_separable
from gradval.ghost.losses import per_sample_losses
from gradval.ghost.passes import or_zeros
from gradval.ghost.tape import frozen_parameters
from gradval.scores.evaluation import evaluating
from gradval.scores.registry import (
    ScoreOptions,
    ScoringContext,
    compute_scores,
    register_score,
    reiterable,
)
from gradval.scores.validation import Images


@register_score("vog", order=0)
def _vog(context: ScoringContext) -> Tensor:
    options = context.options
    maps = (
        input_gradients(checkpoint, context.images, context.labels, options.vog_target)
        for checkpoint in context.checkpoints
    )
    if options.vog_channels == "averaged":
        maps = (gradients.mean(1, keepdim=True) for gradients in maps)
    squares, count = _squared_deviations(maps)
    if options.vog_statistic == "printed":
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


def input_gradients(model: nn.Module, images: Tensor, labels: Tensor, target: str) -> Tensor:
    """Gradient of each sample's target with respect to its image.

    Args:
        model: maps images to logits; run in evaluation mode and left as it was.
        images: `(N, C, H, W)` floating, on the model's device and in its dtype.
        labels: `(N,)` int64.
        target: "loss" for the cross-entropy, "logit" for the true class's logit.

    Returns:
        `(N, C, H, W)`.

    Raises:
        ValueError: the model mixes samples, or a label is not one of its classes.
    """
    images = images.detach().requires_grad_()
    with evaluating(model), torch.enable_grad():
        check_separable(model, images)
        with frozen_parameters(model):
            # A copy, because the model may begin with an in-place operation.
            logits = model(images.clone())
            if target == "loss":
                targets = per_sample_losses(logits, labels)
            else:
                check_labels(labels, logits.shape[1])
                targets = logits.gather(1, labels[:, None])
            if not targets.requires_grad:
                return torch.zeros_like(images)
            # Samples do not interact, so the gradient of the sum holds every sample's own.
            (found,) = torch.autograd.grad(targets.sum(), images, allow_unused=True)
            return or_zeros(found, images).detach()


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
    options = ScoreOptions(vog_target=target, vog_statistic=statistic, vog_channels=channels)
    models = reiterable(models)
    first = next(iter(models), None)
    if first is None:
        raise ValueError("VoG needs at least 2 checkpoints, but there are 0")
    names = ("vog",)
    return compute_scores(names, first, models, images, labels, options, batch_size, progress)[
        "vog"
    ]
