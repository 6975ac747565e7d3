"""Which models can be scored sample by sample, and which of them layer by layer."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, ref

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from gradval.ghost.rules import registered_rules, rule_for
from gradval.ghost.tape import LayerTape

logger = logging.getLogger("gradval")

# Rows of the trial runs for coverage: a dimension that is not the batch does not follow both.
PROBE_ROWS = (2, 3)
# Rows of the trial run for mixing, and the one that is looked at: neither the first, which does not
# depend on others in a recurrence, nor its own mirror image.
MIXING_ROWS, MIXING_SAMPLE = 4, 1
# Trials look at the first image with this much noise, for identical rows would hide mixing.
PROBE_NOISE = 0.1


@dataclass(frozen=True)
class _Answer:
    """What was found for a model, and the model as it was then."""

    parts: tuple[ReferenceType[Any], ...]
    state: Any
    value: Any


_answers: WeakKeyDictionary[nn.Module, dict[Any, _Answer]] = WeakKeyDictionary()


def check_separable(model: nn.Module, images: Tensor | None = None) -> None:
    """Refuse models in which one sample changes what is computed for another.

    Layers that are known to do so are found by their type. With images there is a trial run too:
    the gradient of one sample's logits with respect to the other samples must be exactly zero.
    It is made once for as long as `covers` would remember its answer. It cannot see what no
    gradient sees (statistics that are detached, the order that a sort finds), or what more than
    four samples are needed for.

    Args:
        model: used in the mode it is in.
        images: `(N, C, H, W)`; the first is used for the trial run.

    Raises:
        ValueError: the model has a BatchNorm (of any kind) or an InstanceNorm with running
            statistics, or the trial finds that samples are mixed.
    """
    if images is None or len(images) == 0:
        _refuse_mixing_layers(model)
    else:
        _remembered(_refuse_mixing, model, images)


def _refuse_mixing_layers(model: nn.Module) -> None:
    for name, module in model.named_modules():
        mixes = isinstance(module, _BatchNorm) or (
            isinstance(module, _InstanceNorm) and module.track_running_stats
        )
        if mixes:
            raise ValueError(
                f"layer {name or 'model'!r} ({type(module).__name__}) mixes the samples of a "
                "batch, so that there are no per-sample gradients; use GroupNorm in its place"
            )


def _refuse_mixing(model: nn.Module, images: Tensor) -> None:
    _refuse_mixing_layers(model)
    with preserved_rng(images.device), torch.inference_mode(False), torch.enable_grad():
        rows = _probe_rows(images, MIXING_ROWS).requires_grad_()
        logits = functional_call(model, _nonzero_parameters(model), (rows.clone(),))
        if not logits.requires_grad or len(logits) != MIXING_ROWS:
            return
        watched = logits[MIXING_SAMPLE]
        try:
            # Not their plain sum, which is constant after a softmax.
            (gradient,) = torch.autograd.grad(watched, rows, _noise(watched), allow_unused=True)
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
    return {name: p.detach() if p.any() else _noise(p) for name, p in model.named_parameters()}


def _probe_rows(images: Tensor, rows: int) -> Tensor:
    """The first image several times, each with other noise."""
    like = images[:1].detach().expand(rows, *images.shape[1:])
    return like + PROBE_NOISE * _noise(like)


def _noise(like: Tensor) -> Tensor:
    """Always the same normal noise; the global random state is left alone."""
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(0)).to(like)


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

    The answer is remembered for as long as the model has the same modules in the same modes, the
    same parameters with the same `requires_grad`, images of the same size and the same layer
    rules. Anything else that changes what the forward does, such as an attribute that switches a
    branch on, must be set before the first pass: afterwards it goes unnoticed.

    Args:
        model: the model.
        images: `(N, C, H, W)`, N > 0; the first is used for trial runs.

    Raises:
        ValueError: the model mixes samples or has no trainable parameter.
    """
    return _remembered(_reason_against_layers, model, images) is None


def _remembered(find: Callable[[nn.Module, Tensor], Any], model: nn.Module, images: Tensor) -> Any:
    """`find(model, images)`, anew only if the model is not what it was."""
    parts: list[Any] = []
    flags: list[bool] = []
    for module in model.modules():
        parameters = [p for p in module._parameters.values() if p is not None]
        parts += [module, *parameters]
        flags += [module.training, "forward" in module.__dict__]
        flags += [p.requires_grad for p in parameters]
    state = flags, images.shape[1:], registered_rules()
    known = _answers.setdefault(model, {}).get(find)
    if known is None or known.state != state or not _are(known.parts, parts):
        # Weak references: the memory keeps nothing alive, and an id may come again.
        known = _Answer(tuple(ref(part) for part in parts), state, find(model, images))
        _answers[model][find] = known
    return known.value


def _are(references: Sequence[ReferenceType[Any]], parts: Sequence[Any]) -> bool:
    return len(references) == len(parts) and all(
        reference() is part for reference, part in zip(references, parts, strict=True)
    )


def _reason_against_layers(model: nn.Module, images: Tensor) -> str | None:
    """Why layer rules do not account for every trainable parameter, or `None`."""
    check_separable(model, images)
    reason = _static_reason(model)
    for rows in PROBE_ROWS:
        reason = reason or _probed_reason(model, _probe_rows(images, rows))
    if reason:
        logger.warning(
            "%s; falling back to torch.func.vmap, which is exact but several times slower", reason
        )
    return reason


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
    """Why a trial run rules it out: parameters used other than by calls of their layers, or rules
    that compute something else than their layers.

    In the trial the parameters are not frozen, so that the graph tells how often each is used.
    """
    with preserved_rng(images.device), torch.enable_grad(), LayerTape(model, trial=True) as tape:
        uses, nodes = _parameter_uses(tape(images))
        for name, module in model.named_modules():
            if module in tape.deviating:
                return f"the rule of {type(module).__name__} does not compute what {name!r} does"
        if tape.unrecorded:
            return "a layer is called with gradients disabled"
        recorded: Counter[Tensor] = Counter()
        for call in tape.calls:
            kind = type(call.layer).__name__
            if len(call.tensors[0]) != len(images):
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
