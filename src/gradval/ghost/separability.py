"""Which models compute for each sample what they would compute for it alone."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from gradval.ghost import forward
from gradval.ghost.ambient import preserved_rng
from gradval.ghost.branches import reading_layer
from gradval.ghost.memory import remembered

# Rows of the trial run for mixing, and the one that is looked at: neither the first, which does not
# depend on others in a recurrence, nor its own mirror image.
MIXING_ROWS, MIXING_SAMPLE = 4, 1
# Trials look at the first image with this much noise, for identical rows would hide mixing.
PROBE_NOISE = 0.1


def check_separable(model: nn.Module, images: Tensor | None = None) -> None:
    """Refuse models in which one sample changes what is computed for another.

    Layers with statistics of the batch are told by mode and buffers. With images there is a trial
    run too: the gradient of one sample's logits with respect to the other samples must be exactly
    zero. It is made once for as long as `remembered`. It cannot see what no gradient sees
    (statistics that are detached, the order that a sort finds), or what more than four samples are
    needed for.

    Args:
        model: used in the mode it is in.
        images: `(N, C, H, W)`; the first is used for the trial run.

    Raises:
        ValueError: a BatchNorm (of any kind) or an InstanceNorm with running statistics would use
            or gather statistics of the batch, the trial finds that samples are mixed, or the model
            cannot be run.
    """
    _refuse_batch_statistics(model)
    if images is not None and len(images):
        remembered("mixing", partial(_refuse_mixing, model, images), model, images)


def check_private(model: nn.Module, images: Tensor | None = None) -> None:
    """Refuse models that cannot be trained privately, whatever mode they are in.

    Args:
        model: used in the mode it is in.
        images: as in `check_separable`, which is asked too.

    Raises:
        ValueError: the model has a layer with running statistics, or mixes samples.
    """
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm) or _gathers(module):
            raise ValueError(
                f"{forward.layer_named(name, module)} takes statistics of the training images, "
                "which neither clipping nor noise protects: private training needs GroupNorm in "
                "its place"
            )
    check_separable(model, images)


def check_labels(labels: Tensor, classes: int, first: int = 0) -> None:
    """Refuse labels that are not classes of the model; `first` is the first one's index.

    Raises:
        ValueError: a label is below 0, or `classes` or more.
    """
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        index = int(outside.nonzero()[0])
        raise ValueError(
            f"the label of sample {first + index} is {int(labels[index])}, but the model has "
            f"{classes} classes: labels must lie in 0..{classes - 1}"
        )


def reason_against_batches(model: nn.Module, images: Tensor) -> str | None:
    """Why each sample must be run by itself, or `None`; from a trial run, remembered."""

    def find() -> str | None:
        with preserved_rng(images.device):
            layer = reading_layer(model, probe_rows(images, 2))
        return f"{layer} computes with values that it reads from the batch" if layer else None

    return remembered("branches", find, model, images)


def probe_rows(images: Tensor, rows: int) -> Tensor:
    """The first image several times, each with other noise."""
    like = images[:1].detach().expand(rows, *images.shape[1:])
    return like + PROBE_NOISE * noise(like)


def noise(like: Tensor) -> Tensor:
    """Always the same normal noise; the global random state is left alone."""
    generator = torch.Generator("cpu").manual_seed(0)
    return torch.randn(like.shape, generator=generator, device="cpu", dtype=torch.float32).to(like)


def _gathers(module: nn.Module) -> bool:
    return isinstance(module, _InstanceNorm) and module.track_running_stats


def _refuse_batch_statistics(model: nn.Module) -> None:
    for name, module in model.named_modules():
        if not (isinstance(module, _BatchNorm) or _gathers(module)):
            continue
        layer = forward.layer_named(name, module)
        if module.training:
            raise ValueError(
                f"{layer} is in training mode, where it mixes the samples of a batch: there are no "
                "per-sample gradients; call model.eval(), or use GroupNorm in its place"
            )
        if module.running_mean is None or module.running_var is None:
            raise ValueError(
                f"{layer} has no running statistics, so that it mixes the samples of a batch in "
                "evaluation mode too: there are no per-sample gradients; use GroupNorm in its place"
            )


def _refuse_mixing(model: nn.Module, images: Tensor) -> None:
    with preserved_rng(images.device), torch.inference_mode(False), torch.enable_grad():
        rows = probe_rows(images, MIXING_ROWS).requires_grad_()
        logits = forward.logits(model, rows, _nonzero_parameters(model))
        if not logits.requires_grad:
            return
        watched = logits[MIXING_SAMPLE]
        try:
            # Not their plain sum, which is constant after a softmax.
            (gradient,) = torch.autograd.grad(watched, rows, noise(watched), allow_unused=True)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:
            # No such gradient exists, which a pass that needs it will say better.
            return
    if gradient is None:
        return
    gradient[MIXING_SAMPLE] = 0
    # NaN, as of a model that has diverged, says nothing.
    if (gradient.abs() > 0).any():
        raise ValueError(
            f"the model ({type(model).__name__}) mixes the samples of a batch: the logits of one "
            "depend on the image of another, so that there are no per-sample gradients"
        )


def _nonzero_parameters(model: nn.Module) -> dict[str, Tensor]:
    """The parameters; noise for those that are all zeros, lest they hide what lies before them."""
    return {name: p.detach() if p.any() else noise(p) for name, p in model.named_parameters()}
