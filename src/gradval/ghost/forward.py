"""The one place that runs a user's model, and the one check of what it returns."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


class ModelError(ValueError):
    """The model itself raised something; the message names the layer."""


def logits(model: nn.Module, images: Tensor, weights: Mapping[str, Tensor] | None = None) -> Tensor:
    """Run the model on a copy of the images.

    A copy, because a model may begin with an in-place operation.

    Args:
        model: used in the mode it is in.
        images: `(N, C, H, W)`.
        weights: parameters by name to use in the place of its own.

    Returns:
        Logits `(N, K)`, K >= 2; from a mapping or object with `logits`, those.

    Raises:
        ModelError: the model cannot be run on these images.
        ValueError: it returns something else.
    """
    try:
        if weights is None:
            output = model(images.clone())
        else:
            output = functional_call(model, dict(weights), (images.clone(),))
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        raise ModelError(
            f"{where_raised(model, error)} cannot be run on images of shape "
            f"{tuple(images.shape[1:])}: {first_line(error)}"
        ) from error
    return _checked(output, len(images))


def _checked(output: Any, rows: int) -> Tensor:
    if isinstance(output, Mapping):
        found = output.get("logits")
    else:
        found = output if isinstance(output, Tensor) else getattr(output, "logits", None)
    expected = f"the model must map {rows} images to logits of shape ({rows}, classes)"
    if not isinstance(found, Tensor):
        raise ValueError(
            f"{expected}, alone or as 'logits' of a dictionary or object, not to a "
            f"{_described(output)}"
        )
    if found.dim() != 2 or len(found) != rows:
        raise ValueError(f"{expected}, not {tuple(found.shape)}")
    if not found.is_floating_point():
        raise ValueError(f"{expected} that are floating-point numbers, not {found.dtype}")
    if found.shape[1] < 2:
        raise ValueError(
            f"the model has {found.shape[1]} output, but needs one for each of at least 2 classes: "
            "in the place of one logit z give the two logits 0 and z"
        )
    return found


def check_finite(logits: Tensor, first: int = 0) -> None:
    """Refuse logits that are not finite; `first` is the index of the first sample.

    Raises:
        ValueError: a logit is NaN or infinite.
    """
    bad = ~torch.isfinite(logits).all(1)
    if bad.any():
        raise ValueError(
            f"the logits of sample {first + int(bad.nonzero()[0])} are not finite: the model has "
            "diverged or the sample overflows it"
        )


def where_raised(model: nn.Module, error: BaseException) -> str:
    """The innermost layer among the frames that an exception has passed, in words."""
    names = {id(module): name for name, module in model.named_modules()}
    found = model
    trace = error.__traceback__
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, nn.Module) and id(owner) in names:
            found = owner
        trace = trace.tb_next
    return layer_named(names[id(found)], found)


def layer_named(name: str, layer: nn.Module) -> str:
    """A layer in words."""
    kind = type(layer).__name__
    return f"layer {name!r} ({kind})" if name else f"the model ({kind})"


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, without a full stop; its kind if it has none."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(" .:") if lines else type(error).__name__


def _described(output: Any) -> str:
    if isinstance(output, Mapping):
        return f"{type(output).__name__} of {', '.join(map(repr, output)) or 'nothing'}"
    if isinstance(output, (tuple, list)):
        return f"{type(output).__name__} of {len(output)}"
    return type(output).__name__
