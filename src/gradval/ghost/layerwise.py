"""One pass over a batch through the layers' rules.

Samples do not interact, so the gradient of the batch's summed loss with respect to a layer's
output holds every sample's own gradient, and one backward serves all. The same holds for the
gradient of the summed squared norms with respect to the images.
"""

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from gradval.ghost.losses import per_sample_losses
from gradval.ghost.tape import LayerTape


def sample_gradients(
    model: nn.Module, images: Tensor, labels: Tensor, order: int
) -> tuple[Tensor, ...]:
    """Fields of `SampleGradients` up to `order` (1 or 2)."""
    images = images.detach().requires_grad_()
    with LayerTape(model) as tape, torch.enable_grad():
        return _taped_gradients(tape, images, labels, order)


def or_zeros(gradient: Tensor | None, like: Tensor) -> Tensor:
    """The gradient; zeros if what was differentiated does not depend on `like`."""
    return torch.zeros_like(like) if gradient is None else gradient


def _taped_gradients(
    tape: LayerTape, images: Tensor, labels: Tensor, order: int
) -> tuple[Tensor, ...]:
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
    first_order = (
        logits.detach(),
        losses.detach(),
        # Rounding can take the sum of a Gram matrix a little below zero.
        squared_norms.detach().clamp_min(0),
        or_zeros(input_gradients, images).detach(),
    )
    if order < 2:
        return first_order
    found = None
    if squared_norms.requires_grad:
        (found,) = torch.autograd.grad(squared_norms.sum(), source, allow_unused=True)
    return *first_order, or_zeros(found, images)
