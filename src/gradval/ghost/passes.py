"""One pass over a batch: loss, gradient norm and PLIS of every sample.

Samples do not interact, so the gradient of the batch's summed loss with respect to a layer's
output holds every sample's own gradient, and one backward serves all. The same holds for the
gradient of the summed squared norms with respect to the images.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from gradval.ghost import fallback
from gradval.ghost.coverage import check_separable, covers
from gradval.ghost.losses import per_sample_losses
from gradval.ghost.tape import LayerTape


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
    model: nn.Module, images: Tensor, labels: Tensor, order: int
) -> SampleGradients:
    """Run one pass over a batch, as deep as asked for.

    Args:
        model: maps images to logits; used as it is (call `model.eval()` before).
        images: `(N, C, H, W)` floating, N > 0, on the model's device and in its dtype.
        labels: `(N,)` int64.
        order: 0 for losses; 1 for gradients too; 2 for susceptibilities too.

    Raises:
        ValueError: the model mixes samples, has nothing to differentiate, or a label is not one
            of its classes.
    """
    images = images.detach()
    if order == 0:
        check_separable(model, images)
        with torch.no_grad():
            # A copy, because the model may begin with an in-place operation.
            logits = model(images.clone())
            return SampleGradients(logits, per_sample_losses(logits, labels))
    if not covers(model, images):
        return SampleGradients(*fallback.sample_gradients(model, images, labels, order))
    with LayerTape(model) as tape, torch.enable_grad():
        return _taped_gradients(tape, images.requires_grad_(), labels, order)


def or_zeros(gradient: Tensor | None, like: Tensor) -> Tensor:
    """The gradient; zeros if what was differentiated does not depend on `like`."""
    return torch.zeros_like(like) if gradient is None else gradient


def _taped_gradients(
    tape: LayerTape, images: Tensor, labels: Tensor, order: int
) -> SampleGradients:
    source = get_gradient_edge(images)
    logits = tape(images)
    losses = per_sample_losses(logits, labels)
    *output_grads, input_gradients = torch.autograd.grad(
        losses.sum(), [*tape.edges, source], create_graph=order == 2, allow_unused=True
    )
    with torch.set_grad_enabled(order == 2):
        squared_norms = torch.zeros_like(losses)
        for layer in tape.layers(output_grads, len(images)):
            squared_norms = squared_norms + layer.squared_norms()
    susceptibilities = None
    if order == 2:
        found = None
        if squared_norms.requires_grad:
            (found,) = torch.autograd.grad(squared_norms.sum(), source, allow_unused=True)
        susceptibilities = or_zeros(found, images)
    return SampleGradients(
        logits.detach(),
        losses.detach(),
        # Rounding can take the sum of a Gram matrix a little below zero.
        squared_norms.detach().clamp_min(0),
        or_zeros(input_gradients, images).detach(),
        susceptibilities,
    )
