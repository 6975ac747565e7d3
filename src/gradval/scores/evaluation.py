"""Evaluation mode that leaves no trace."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from gradval.ghost.ambient import preserved_rng, undisturbed
from gradval.models.plain import plain_model


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Context that gives the plain module of a model (`plain_model`) in evaluation mode.

    Within it backward hooks, which may change gradients, are set aside, compiled code runs as it is
    written, and what is set around it has no effect (`undisturbed`). At its end every module's own
    training flag and hooks and the random state are as they were.

    Raises:
        ValueError: the model cannot be scored; see `plain_model`.
    """
    plain = plain_model(model)
    device = reference_tensor(plain).device
    with ExitStack() as stack:
        stack.enter_context(preserved_rng(device))
        stack.enter_context(undisturbed(plain, device))
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(_evaluation_mode(plain))
        yield plain


@contextmanager
def _evaluation_mode(model: nn.Module) -> Iterator[None]:
    flags = [(module, module.training) for module in model.modules()]
    hooks = [
        (registry, dict(registry))
        for module in model.modules()
        for registry in (module._backward_hooks, module._backward_pre_hooks)
        if registry
    ]
    for registry, _ in hooks:
        registry.clear()
    model.eval()
    try:
        yield
    finally:
        for module, training in flags:
            module.training = training
        for registry, entries in hooks:
            registry.update(entries)


def reference_tensor(model: nn.Module) -> Tensor:
    """A tensor with the device and floating dtype of the plain module of a model."""
    return next(p for p in model.parameters() if p.is_floating_point())
