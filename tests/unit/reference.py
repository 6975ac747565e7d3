"""Naive per-sample loops: the definitions, one sample at a time, for tests to compare with."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradval.privacy.keystream import KeyStream, derive_key
from gradval.privacy.noise import GaussianNoise


def trainable(model: nn.Module) -> dict[str, Tensor]:
    """The parameters that count, by name."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def sample_loss(model: nn.Module, image: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of one image `(C, H, W)`."""
    # A copy, because in-place operations must not touch a leaf, or the caller's images.
    return F.cross_entropy(model(image.clone()[None]), label[None])


def flat_gradient(model: nn.Module, loss: Tensor, create_graph: bool = False) -> Tensor:
    """Gradient of a loss with respect to all trainable parameters, as one vector."""
    parameters = list(trainable(model).values())
    gradients = torch.autograd.grad(
        loss, parameters, create_graph=create_graph, allow_unused=True, materialize_grads=True
    )
    return torch.cat([g.flatten() for g in gradients])


def losses(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """`(N,)`."""
    return torch.stack(
        [sample_loss(model, x, y).detach() for x, y in zip(images, labels, strict=True)]
    )


def gradients(model: nn.Module, images: Tensor, labels: Tensor, views: int = 1) -> Tensor:
    """Per-sample gradients `(N, parameters)`, the mean over each sample's consecutive views."""
    rows = [
        flat_gradient(model, sample_loss(model, x, y)) for x, y in zip(images, labels, strict=True)
    ]
    return torch.stack(rows).unflatten(0, (-1, views)).mean(1)


def susceptibilities(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """`grad_x ||grad_theta l||^2`, `(N, C, H, W)`."""
    maps = []
    for x, y in zip(images, labels, strict=True):
        x = x.clone().requires_grad_()
        gradient = flat_gradient(model, sample_loss(model, x, y), create_graph=True)
        square = gradient.square().sum()
        maps.append(torch.autograd.grad(square, x, allow_unused=True, materialize_grads=True)[0])
    return torch.stack(maps)


def plis(model: nn.Module, images: Tensor, labels: Tensor, sigma: float = 1.0) -> Tensor:
    """`(N,)`."""
    return susceptibilities(model, images, labels).flatten(1).norm(dim=1) / sigma**2


def clipped_sum(
    model: nn.Module, images: Tensor, labels: Tensor, max_norm: float, views: int = 1
) -> dict[str, Tensor]:
    """Sum of clipped gradients by parameter name."""
    rows = gradients(model, images, labels, views)
    factors = [min(1.0, max_norm / (float(row.norm()) + 1e-6)) for row in rows]
    total = sum(
        (factor * row for factor, row in zip(factors, rows, strict=True)),
        start=torch.zeros_like(rows[0]),
    )
    named = trainable(model)
    parts = total.split([p.numel() for p in named.values()])
    return {name: part.view_as(p) for (name, p), part in zip(named.items(), parts, strict=True)}


def input_gradients(
    model: nn.Module, images: Tensor, labels: Tensor, target: str = "loss"
) -> Tensor:
    """Gradient of the loss, or of the true class's logit, with respect to the image."""
    maps = []
    for x, y in zip(images, labels, strict=True):
        x = x.clone().requires_grad_()
        value = sample_loss(model, x, y) if target == "loss" else model(x.clone()[None])[0, y]
        maps.append(torch.autograd.grad(value, x, allow_unused=True, materialize_grads=True)[0])
    return torch.stack(maps)


def vog(
    models: Sequence[nn.Module],
    images: Tensor,
    labels: Tensor,
    target: str = "loss",
    statistic: str = "printed",
    channels: str = "separate",
) -> Tensor:
    """`(N,)`, holding all gradients at once."""
    maps = torch.stack([input_gradients(m, images, labels, target) for m in models])
    if channels == "averaged":
        maps = maps.mean(2)
    squares = (maps - maps.mean(0)).square().sum(0)
    k = len(models)
    per_pixel = squares / k**0.5 if statistic == "printed" else (squares / k).sqrt()
    return per_pixel.flatten(1).mean(1)


def flatten(gradients: dict[str, Tensor]) -> Tensor:
    """All parameters' gradients as one vector."""
    return torch.cat([g.flatten() for g in gradients.values()])


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """Largest absolute difference in units of the largest expected magnitude."""
    scale = expected.detach().abs().max().clamp_min(torch.finfo(expected.dtype).tiny)
    return float((actual - expected).detach().abs().max() / scale)


def seeded_noise(seed: int = 0) -> GaussianNoise:
    """A source of noise for a private step."""
    return GaussianNoise(KeyStream(derive_key(b"test", seed)))
