"""Exact per-sample gradients of any model through torch.func, several times slower."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import grad, vmap

from gradval.ghost import forward
from gradval.ghost.ambient import preserved_rng
from gradval.ghost.losses import cross_entropy
from gradval.ghost.separability import check_labels

# Per-sample gradients of so many bytes are held at a time.
CHUNK_BYTES = 2**28

Parameters = dict[str, Tensor]


def trainable_parameters(model: nn.Module) -> Parameters:
    """The parameters that require gradients, detached, by name."""
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


def sample_gradients(
    model: nn.Module, images: Tensor, labels: Tensor, order: int
) -> tuple[Tensor, ...]:
    """Fields of `SampleGradients` up to `order` (1 or 2), from per-sample gradients."""
    parameters = trainable_parameters(model)
    loss = _loss_function(model)

    def squared_norm(image: Tensor, label: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        (gradients, input_gradient), (logits, value) = grad(loss, argnums=(0, 1), has_aux=True)(
            parameters, image[None], label[None]
        )
        norm = sum(g.square().sum() for g in gradients.values())
        return norm, (logits[0], value, norm, input_gradient[0])

    def susceptibility(image: Tensor, label: Tensor) -> tuple[Tensor, ...]:
        gradient, others = grad(squared_norm, has_aux=True)(image, label)
        return (*others, gradient)

    def first_order(image: Tensor, label: Tensor) -> tuple[Tensor, ...]:
        return squared_norm(image, label)[1]

    function = susceptibility if order == 2 else first_order
    chunks = list(_map_chunks(function, model, parameters, images, labels))
    return tuple(torch.cat(parts) for parts in zip(*chunks, strict=True))


def per_sample_gradients(
    model: nn.Module, images: Tensor, labels: Tensor
) -> Iterator[tuple[Parameters, Tensor, Tensor]]:
    """Gradients of the views' mean loss, in chunks of samples.

    Args:
        model: used in the mode it is in.
        images: `(N, M, C, H, W)`, M views of each of N samples.
        labels: `(N, M)`.

    Yields:
        For n samples at a time: gradients `(n, *shape)` by parameter name, losses `(n,)` and
        input gradients `(n, M, C, H, W)`.
    """
    parameters = trainable_parameters(model)
    loss = _loss_function(model)

    def one_sample(views: Tensor, labels: Tensor) -> tuple[Parameters, Tensor, Tensor]:
        (gradients, input_gradients), (_, value) = grad(loss, argnums=(0, 1), has_aux=True)(
            parameters, views, labels
        )
        return gradients, value, input_gradients

    yield from _map_chunks(one_sample, model, parameters, images, labels)


def _loss_function(model: nn.Module) -> Callable[..., Any]:
    """Mean loss of a batch as a function of the parameters, with logits and loss as extras."""

    def loss(parameters: Parameters, images: Tensor, labels: Tensor) -> tuple[Tensor, Any]:
        logits = forward.logits(model, images, parameters)
        value = cross_entropy(logits, labels).mean()
        return value, (logits, value)

    return loss


def _map_chunks(
    function: Callable[..., Any],
    model: nn.Module,
    parameters: Parameters,
    images: Tensor,
    labels: Tensor,
) -> Iterator[Any]:
    with torch.no_grad(), preserved_rng(images.device):
        logits = forward.logits(model, images.flatten(0, -4)[:1])
    check_labels(labels.flatten(), logits.shape[1])
    per_sample = sum(p.numel() * p.element_size() for p in parameters.values())
    chunk = max(1, CHUNK_BYTES // per_sample)
    # Each sample draws random numbers of its own, as it would in a batch.
    mapped = vmap(function, randomness="different")
    for i in range(0, len(images), chunk):
        yield mapped(images[i : i + chunk], labels[i : i + chunk])
