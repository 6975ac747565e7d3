"""Exact per-sample gradients one sample at a time, for whatever PyTorch can differentiate."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from gradval.ghost import forward
from gradval.ghost.losses import per_sample_losses

Parameters = dict[str, Tensor]


def sample_gradients(
    model: nn.Module, images: Tensor, labels: Tensor, order: int
) -> tuple[Tensor, ...]:
    """Fields of `SampleGradients` up to `order` (0, 1 or 2)."""
    rows = [
        _one_sample(model, image, label, order)
        for image, label in zip(images.split(1), labels.split(1), strict=True)
    ]
    return tuple(torch.cat(parts) for parts in zip(*rows, strict=True))


def _one_sample(model: nn.Module, image: Tensor, label: Tensor, order: int) -> tuple[Tensor, ...]:
    image = image.detach().requires_grad_()
    parameters = [p for p in model.parameters() if p.requires_grad]
    with torch.set_grad_enabled(order > 0):
        logits = forward.logits(model, image)
        loss = per_sample_losses(logits, label)
        if order == 0:
            return logits, loss
        *gradients, input_gradient = torch.autograd.grad(
            loss,
            [*parameters, image],
            create_graph=order == 2,
            allow_unused=True,
            materialize_grads=True,
        )
        norm = torch.stack([g.square().sum() for g in gradients]).sum(0, keepdim=True)
        results = [logits, loss, norm, input_gradient]
        if order == 2:
            if norm.requires_grad:
                results += torch.autograd.grad(
                    norm, image, allow_unused=True, materialize_grads=True
                )
            else:
                results.append(torch.zeros_like(image))
    return tuple(result.detach() for result in results)


def per_sample_gradients(
    model: nn.Module, images: Tensor, labels: Tensor
) -> Iterator[tuple[Parameters, Tensor, Tensor]]:
    """Gradients of the views' mean loss; see `gradval.ghost.vmapped.per_sample_gradients`."""
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    for views, classes in zip(images, labels, strict=True):
        views = views.detach().requires_grad_()
        with torch.enable_grad():
            loss = per_sample_losses(forward.logits(model, views), classes).mean()
            *gradients, input_gradient = torch.autograd.grad(
                loss, [*named.values(), views], allow_unused=True, materialize_grads=True
            )
        found = dict(zip(named, (g[None] for g in gradients), strict=True))
        yield found, loss.detach()[None], input_gradient[None]


def one_by_one(
    function: Callable[[Tensor, Tensor], Tensor], images: Tensor, labels: Tensor
) -> Tensor:
    """`function(images, labels)`, row by row."""
    rows = zip(images.split(1), labels.split(1), strict=True)
    return torch.cat([function(image, label) for image, label in rows])
