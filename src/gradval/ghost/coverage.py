"""Which models can be scored sample by sample, and which of them layer by layer."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from gradval.ghost.rules import rule_for
from gradval.ghost.tape import LayerTape

logger = logging.getLogger("gradval")

# An odd number of rows, unlikely to be some other dimension of an activation.
PROBE_ROWS = 3

_reasons: WeakKeyDictionary[nn.Module, tuple[Any, str | None]] = WeakKeyDictionary()


def check_separable(model: nn.Module) -> None:
    """Refuse models in which one sample changes what is computed for another.

    Raises:
        ValueError: the model has a BatchNorm (of any kind) or an InstanceNorm with running
            statistics.
    """
    for name, module in model.named_modules():
        mixes = isinstance(module, _BatchNorm) or (
            isinstance(module, _InstanceNorm) and module.track_running_stats
        )
        if mixes:
            raise ValueError(
                f"layer {name or 'model'!r} ({type(module).__name__}) mixes the samples of a "
                "batch, so that there are no per-sample gradients; use GroupNorm in its place"
            )


def check_labels(labels: Tensor, classes: int) -> None:
    """Refuse labels that are not classes of the model.

    Raises:
        ValueError: a label is below 0, or `classes` or more.
    """
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        index = int(outside.nonzero()[0])
        raise ValueError(
            f"the label of sample {index} is {int(labels[index])}, but the model has {classes} "
            f"classes: labels must lie in 0..{classes - 1}"
        )


def covers(model: nn.Module, images: Tensor) -> bool:
    """Whether layer rules account for every trainable parameter; logs if they do not.

    The answer is remembered for as long as the model's modules and trainable parameters stay the
    same.

    Args:
        model: the model.
        images: `(N, C, H, W)`, N > 0; the first is used for a trial run.

    Raises:
        ValueError: the model mixes samples or has no trainable parameter.
    """
    state = (_fingerprint(model), images.shape[1:])
    known = _reasons.get(model)
    if known is None or known[0] != state:
        check_separable(model)
        reason = _static_reason(model) or _probed_reason(model, images)
        if reason:
            logger.warning(
                "%s; falling back to torch.func.vmap, which is exact but several times slower",
                reason,
            )
        _reasons[model] = known = (state, reason)
    return known[1] is None


def _fingerprint(model: nn.Module) -> tuple[Any, ...]:
    return tuple(
        (
            id(m),
            m.training,
            *((id(p), p.requires_grad) for p in m._parameters.values() if p is not None),
        )
        for m in model.modules()
    )


def _static_reason(model: nn.Module) -> str | None:
    """Why the layers' kinds rule the layer-by-layer way out, or `None`."""
    owners: dict[int, str] = {}
    for name, module in model.named_modules():
        for parameter_name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad:
                continue
            full_name = f"{name}.{parameter_name}".lstrip(".")
            if rule_for(module) is None:
                return f"no layer rule covers parameter {full_name!r} of {type(module).__name__}"
            if id(parameter) in owners:
                return f"parameters {owners[id(parameter)]!r} and {full_name!r} are shared"
            owners[id(parameter)] = full_name
    if not owners:
        raise ValueError("the model has no parameter that requires gradients")
    return None


def _probed_reason(model: nn.Module, images: Tensor) -> str | None:
    """Why a trial run rules it out: parameters used other than by calls of their layers.

    In the trial the parameters are not frozen, so that the graph tells how often each is used.
    """
    probe = images[:1].detach().expand(PROBE_ROWS, *images.shape[1:])
    with preserved_rng(probe.device), torch.enable_grad(), LayerTape(model, freeze=False) as tape:
        uses, nodes = _parameter_uses(tape(probe.clone()))
        if tape.unrecorded:
            return "a layer is called with gradients disabled"
        recorded: Counter[Tensor] = Counter()
        for call in tape.calls:
            kind = type(call.layer).__name__
            if call.tensors[0].shape[0] != PROBE_ROWS:
                return f"a {kind} layer's input does not have the samples in its first dimension"
            # A call that the logits do not depend on uses nothing.
            if call.edge.node in nodes:
                recorded.update(getattr(call.layer, name) for name in call.names)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and uses[parameter] != recorded[parameter]:
            return f"parameter {name!r} is used outside its layer"
    return None


def _parameter_uses(output: Tensor) -> tuple[Counter[Tensor], set[Node | None]]:
    """How many operations of the graph behind `output` use each leaf, and all its nodes."""
    uses: Counter[Tensor] = Counter()
    pending: list[Node | None] = [output.grad_fn]
    seen = set(pending)
    while pending:
        node = pending.pop()
        for successor, _ in node.next_functions if node is not None else ():
            if successor is None:
                continue
            if hasattr(successor, "variable"):
                uses[successor.variable] += 1
            elif successor not in seen:
                seen.add(successor)
                pending.append(successor)
    return uses, seen


@contextmanager
def preserved_rng(device: torch.device) -> Iterator[None]:
    """Context that leaves the random state of the CPU and of `device` as it was."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield
