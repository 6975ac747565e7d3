"""Whether the layers' rules account for all of a model."""

from collections import Counter

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from gradval.ghost.ambient import preserved_rng
from gradval.ghost.memory import remembered
from gradval.ghost.rules import rule_for
from gradval.ghost.separability import check_separable, probe_rows
from gradval.ghost.tape import LayerTape

# Rows of the trial runs: a dimension that is not the batch does not follow both.
PROBE_ROWS = (2, 3)


def covers(model: nn.Module, images: Tensor) -> bool:
    """Whether layer rules account for every trainable parameter, as `reason_against_rules`."""
    return reason_against_rules(model, images) is None


def reason_against_rules(model: nn.Module, images: Tensor) -> str | None:
    """Why layer rules do not account for every trainable parameter, or `None`.

    The answer is `remembered`. Anything else that changes what the forward does, such as an
    attribute that switches a branch on, must be set before the first pass: afterwards it goes
    unnoticed.

    Args:
        model: the model.
        images: `(N, C, H, W)`, N > 0; the first is used for trial runs.

    Raises:
        ValueError: the model mixes samples or has no trainable parameter.
    """

    def find() -> str | None:
        check_separable(model, images)
        reason = _static_reason(model)
        for rows in PROBE_ROWS:
            reason = reason or _probed_reason(model, probe_rows(images, rows))
        return reason

    return remembered("rules", find, model, images)


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
