"""Sums of clipped per-sample gradients, the heart of a DP-SGD step, by book-keeping.

One forward, one backward to the layers' outputs, per-sample norms layer by layer, then one
weighted weight gradient a layer. Per-sample gradients exist only for layers where that is cheaper.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from gradval.ghost import loop, vmapped
from gradval.ghost.layerwise import or_zeros
from gradval.ghost.losses import per_sample_losses
from gradval.ghost.separability import check_private
from gradval.ghost.tape import LayerGradients, LayerTape
from gradval.ghost.ways import choose_way

# What does not go by rules goes through each sample's own gradient.
PER_SAMPLE = {"vmap": vmapped.per_sample_gradients, "loop": loop.per_sample_gradients}

# As in Opacus: keeps the clip factor finite.
NORM_OFFSET = 1e-6
# Largest relative error of a squared norm by rounding, and the rounding of a sum that does not
# cancel, in units of the dtype's: an upper end of what hostile inputs were seen to reach.
TOLERANCE, SAFETY = 1e-5, 8


@dataclass(frozen=True)
class ClippedGradients:
    """Result of `clipped_gradient_sum` for N samples.

    Attributes:
        sums: by parameter name, the sum of the clipped gradients, of the parameter's shape. The
            L2 sensitivity to adding or removing a sample is `max_norm`, up to rounding.
        losses: `(N,)` cross-entropy in nats, the mean over a sample's views.
        norms: `(N,)` L2 norms before clipping.
        input_gradients: `(N * multiplicity, C, H, W)` gradients of each view's own loss with
            respect to the view, if asked for.
    """

    sums: dict[str, Tensor]
    losses: Tensor
    norms: Tensor
    input_gradients: Tensor | None = None


def clipped_gradient_sum(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    max_norm: float,
    *,
    multiplicity: int = 1,
    input_gradients: bool = False,
) -> ClippedGradients:
    """Sum over samples of `min(1, max_norm / (||g|| + 1e-6)) * g`.

    `g` is a sample's gradient of the cross-entropy with respect to all parameters that require
    gradients, the mean over its `multiplicity` views. The model is used in the mode it is in;
    parameters, their `.grad` and their `requires_grad` are left as they are.

    Args:
        model: maps images to logits; no operation may mix samples.
        images: `(N * multiplicity, C, H, W)`; consecutive views belong to one sample. N may be 0
            (Poisson sampling draws empty batches).
        labels: `(N * multiplicity,)` int64.
        max_norm: clipping norm, positive.
        multiplicity: views of each sample (augmentation multiplicity; De et al. 2022).
        input_gradients: whether to return the gradients with respect to the images too.

    Raises:
        ValueError: the model mixes samples, has running statistics or nothing to differentiate, a
            label is not one of its classes, the batch does not divide by `multiplicity`, `max_norm`
            is not positive, or a gradient is not finite.
    """
    _check_arguments(images, labels, max_norm, multiplicity)
    check_private(model, images)
    if len(images) == 0:
        return _empty_sum(model, images, input_gradients)
    way = choose_way(model, images, order=1)
    if way == "rules":
        result = _sum_by_book_keeping(
            model, images.detach(), labels, max_norm, multiplicity, input_gradients
        )
    else:
        result = _sum_of_each(way, model, images, labels, max_norm, multiplicity)
    if not input_gradients:
        return ClippedGradients(result.sums, result.losses, result.norms)
    return result


def _check_arguments(images: Tensor, labels: Tensor, max_norm: float, multiplicity: int) -> None:
    if not max_norm > 0:
        raise ValueError(f"max_norm is {max_norm}, but must be positive")
    if len(images) != len(labels):
        raise ValueError(f"{len(images)} images, but {len(labels)} labels")
    if multiplicity < 1 or len(images) % multiplicity:
        raise ValueError(
            f"{len(images)} images cannot be {multiplicity} views each of a number of samples"
        )


def clip_factors(norms: Tensor, max_norm: float) -> Tensor:
    """`min(1, max_norm / (norm + 1e-6))` for each of the norms `(N,)`."""
    finite = torch.isfinite(norms)
    if not finite.all():
        index = int((~finite).nonzero()[0])
        raise ValueError(
            f"the gradient of sample {index} of the batch is not finite: training has diverged, "
            "or the image is not finite"
        )
    return (max_norm / (norms + NORM_OFFSET)).clamp(max=1)


def _empty_sum(model: nn.Module, images: Tensor, input_gradients: bool) -> ClippedGradients:
    parameters = vmapped.trainable_parameters(model)
    sums = {name: torch.zeros_like(p) for name, p in parameters.items()}
    like = next(iter(parameters.values()), images)
    nothing = like.new_zeros(0)
    return ClippedGradients(
        sums, nothing, nothing.clone(), images.detach().clone() if input_gradients else None
    )


def _sum_by_book_keeping(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    max_norm: float,
    views: int,
    input_gradients: bool,
) -> ClippedGradients:
    parameters = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    sums: dict[Tensor, Tensor] = {}
    with LayerTape(model) as tape:
        with torch.enable_grad():
            sources = [get_gradient_edge(images.requires_grad_())] if input_gradients else []
            # The loss of a sample is the mean over its views.
            losses = per_sample_losses(tape(images), labels) / views
            grads = torch.autograd.grad(losses.sum(), [*tape.edges, *sources], allow_unused=True)
        with torch.no_grad():
            layers = tape.layers(grads[: len(tape.edges)], len(images), views)
            for layer in layers:
                layer.form_if_cheaper()
            norms = _squared_norms(layers, losses.detach()[::views]).sqrt_()
            factors = clip_factors(norms, max_norm)
            for layer in layers:
                for name, total in layer.weighted(factors).items():
                    sums[getattr(layer.layer, name)] = total
    return ClippedGradients(
        # A layer that the loss does not depend on contributes nothing.
        {name: sums[p] if p in sums else torch.zeros_like(p) for name, p in parameters},
        losses.detach().unflatten(0, (-1, views)).sum(1),
        norms,
        or_zeros(grads[-1], images) * views if input_gradients else None,
    )


def _squared_norms(layers: list[LayerGradients], like: Tensor) -> Tensor:
    """Squared norms `(N,)` over the layers, by forming gradients where the layers' ways cancel.

    The norm and the weighted sum of a sample are computed in different orders. Where products are
    far larger than their sum (an input of large mean before a normalisation), rounding might make
    the sum longer than its norm says. Gradients that are formed are what is summed.
    """
    squares = [layer.squared_norms().clamp_min(0) for layer in layers]
    total = _add_up(squares, like)
    rounding = SAFETY * torch.finfo(like.dtype).eps
    limit = total * (TOLERANCE / rounding)
    doubtful = [~(layer.cancelling_squares() <= limit) for layer in layers]
    if doubtful and torch.stack(doubtful).any():
        for layer, found, selected in zip(layers, squares, doubtful, strict=True):
            if selected.any():
                found[selected] = layer.form_selected(selected)
        total = _add_up(squares, like)
    return total


def _add_up(squares: list[Tensor], like: Tensor) -> Tensor:
    total = torch.zeros_like(like)
    for layer in squares:
        total += layer
    return total


def _sum_of_each(
    way: str, model: nn.Module, images: Tensor, labels: Tensor, max_norm: float, views: int
) -> ClippedGradients:
    split = images.detach().unflatten(0, (-1, views))
    sums = {name: torch.zeros_like(p) for name, p in vmapped.trainable_parameters(model).items()}
    losses, norms, input_gradients = [], [], []
    for gradients, loss, input_gradient in PER_SAMPLE[way](
        model, split, labels.unflatten(0, (-1, views))
    ):
        norm = torch.stack([g.flatten(1).square().sum(1) for g in gradients.values()]).sum(0).sqrt()
        factors = clip_factors(norm, max_norm)
        for name, gradient in gradients.items():
            sums[name] += torch.tensordot(factors, gradient, dims=1)
        losses.append(loss)
        norms.append(norm)
        input_gradients.append(input_gradient.flatten(0, 1) * views)
    return ClippedGradients(sums, torch.cat(losses), torch.cat(norms), torch.cat(input_gradients))
