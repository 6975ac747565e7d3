"""One pass over a batch: loss, gradient norm and PLIS of every sample."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gradval.ghost import forward, loop
from gradval.ghost.ambient import undisturbed
from gradval.ghost.layerwise import or_zeros
from gradval.ghost.losses import per_sample_losses
from gradval.ghost.separability import check_labels
from gradval.ghost.tape import frozen_parameters
from gradval.ghost.ways import PASSES, choose_way


@dataclass(frozen=True)
class SampleGradients:
    """What one pass knows about each of N samples; quantities of a higher order are `None`.

    Attributes:
        logits: `(N, K)`.
        losses: `(N,)` cross-entropy in nats.
        squared_norms: `(N,)`, order 1: squared L2 norm of the gradient of the loss with respect to
            all parameters that require gradients.
        input_gradients: `(N, C, H, W)`, order 1: gradient of the loss with respect to the image.
        susceptibilities: `(N, C, H, W)`, order 2: gradient of `squared_norms` with respect to the
            image (PLIS before division by sigma^2; Eqs. 3-4).
    """

    logits: Tensor
    losses: Tensor
    squared_norms: Tensor | None = None
    input_gradients: Tensor | None = None
    susceptibilities: Tensor | None = None


def sample_gradients(
    model: nn.Module, images: Tensor, labels: Tensor, order: int, *, first: int = 0
) -> SampleGradients:
    """Run one pass over a batch, as deep as asked for.

    Args:
        model: maps images to logits; used as it is (call `model.eval()` before).
        images: `(N, C, H, W)` floating, N > 0, on the model's device and in its dtype.
        labels: `(N,)` int64.
        order: 0 for losses; 1 for gradients too; 2 for susceptibilities too.
        first: index of the first sample, for messages.

    Raises:
        ValueError: the model mixes samples, has nothing to differentiate, lacks a derivative or
            gives logits that are not finite, or a label is not one of its classes.
    """
    images = images.detach()
    with undisturbed(model, images.device):
        way = choose_way(model, images, order)
        if order == 0 and way != "loop":
            with torch.no_grad():
                logits = forward.logits(model, images)
                found = SampleGradients(logits, per_sample_losses(logits, labels, first))
        else:
            found = SampleGradients(*PASSES[way](model, images, labels, order))
        forward.check_finite(found.logits, first)
        return found


def input_gradients(
    model: nn.Module, images: Tensor, labels: Tensor, target: str, *, first: int = 0
) -> Tensor:
    """Gradient of each sample's target with respect to its image.

    Args:
        model: maps images to logits; used as it is.
        images: `(N, C, H, W)` floating, N > 0, on the model's device and in its dtype.
        labels: `(N,)` int64.
        target: "loss" for the cross-entropy, "logit" for the true class's logit.
        first: index of the first sample, for messages.

    Returns:
        `(N, C, H, W)`.

    Raises:
        ValueError: the model mixes samples or gives logits that are not finite, or a label is not
            one of its classes.
    """
    images = images.detach()

    def run(images: Tensor, labels: Tensor) -> Tensor:
        return _input_gradients(model, images.requires_grad_(), labels, target, first)

    with undisturbed(model, images.device):
        way = choose_way(model, images, 0)
        with torch.enable_grad(), frozen_parameters(model):
            if way == "loop":
                return loop.one_by_one(run, images, labels)
            return run(images, labels)


def _input_gradients(
    model: nn.Module, images: Tensor, labels: Tensor, target: str, first: int
) -> Tensor:
    logits = forward.logits(model, images)
    forward.check_finite(logits, first)
    if target == "loss":
        targets = per_sample_losses(logits, labels, first)
    else:
        check_labels(labels, logits.shape[1], first)
        targets = logits.gather(1, labels[:, None])
    if not targets.requires_grad:
        return torch.zeros_like(images)
    # Samples do not interact, so the gradient of the sum holds every sample's own.
    (found,) = torch.autograd.grad(targets.sum(), images, allow_unused=True)
    return or_zeros(found, images).detach()
