"""Gradients of samples with respect to their images."""

import torch
from torch import Tensor, nn

from gradval.ghost import check_labels, check_separable
from gradval.ghost.losses import per_sample_losses
from gradval.ghost.passes import or_zeros
from gradval.ghost.tape import frozen_parameters
from gradval.scores.evaluation import evaluating


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
