"""How a model is differentiated sample by sample: by rules, by vmap or one sample at a time."""

import logging
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from gradval.ghost import forward, layerwise, loop, vmapped
from gradval.ghost.ambient import preserved_rng
from gradval.ghost.coverage import reason_against_rules
from gradval.ghost.memory import remembered
from gradval.ghost.separability import check_separable, probe_rows, reason_against_batches

logger = logging.getLogger("gradval")

# Way -> its pass, from model, images, labels and order to fields of `SampleGradients`.
PASSES: dict[str, Callable[[nn.Module, Tensor, Tensor, int], tuple[Tensor, ...]]] = {
    "rules": layerwise.sample_gradients,
    "vmap": vmapped.sample_gradients,
    "loop": loop.sample_gradients,
}
NOTICES = {
    "vmap": "%s; falling back to torch.func.vmap, which is exact but several times slower",
    "loop": "%s; going through the samples one by one, which is exact but slower still",
}


def choose_way(model: nn.Module, images: Tensor, order: int) -> str:
    """The fastest way that works for a model, found by trials on two samples.

    The answer is `remembered`; what is slower than rules is said once, as a warning.

    Args:
        model: used in the mode it is in.
        images: `(N, C, H, W)`, N > 0; the first is used for trial runs.
        order: of the pass; at order 0 "rules" stands for plain batches.

    Returns:
        A key of `PASSES`.

    Raises:
        ValueError: the model mixes samples, has nothing to differentiate, or has a layer without
            the derivatives that are needed, which is named.
    """
    return remembered(("way", order), partial(_find_way, model, images, order), model, images)


def _find_way(model: nn.Module, images: Tensor, order: int) -> str:
    check_separable(model, images)
    reason = reason_against_batches(model, images)
    if order == 0:
        way = "loop" if reason else "rules"
    elif reason:
        way = _first_that_works(("loop",), model, images, order)
    else:
        reason = reason_against_rules(model, images)
        ways = ("vmap", "loop") if reason else ("rules", "vmap", "loop")
        way = _first_that_works(ways, model, images, order)
    if way in NOTICES:
        message = NOTICES[way] % (reason or "the layer rules cannot differentiate the model")
        remembered(message, partial(logger.warning, message), model, images)
    return way


def _first_that_works(ways: Sequence[str], model: nn.Module, images: Tensor, order: int) -> str:
    rows = probe_rows(images, 2)
    labels = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    failure: Exception | None = None
    for way in ways:
        try:
            with preserved_rng(images.device):
                PASSES[way](model, rows, labels, order)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, forward.ModelError, NotImplementedError) as error:
            failure = error
        else:
            return way
    assert failure is not None
    with preserved_rng(images.device):
        found = _failing_layer(model, rows, order)
    layer, cause = found or (forward.layer_named("", model), failure)
    missing = "second derivative, which PLIS needs" if order == 2 else "derivative"
    raise ValueError(f"{layer} has no {missing}: {forward.first_line(cause)}") from failure


def _failing_layer(model: nn.Module, images: Tensor, order: int) -> tuple[str, Exception] | None:
    """The innermost layer that cannot be differentiated on its own, in words, and its error."""
    calls: list[tuple[str, nn.Module, tuple[Tensor, ...]]] = []

    def note(name: str, module: nn.Module, arguments: tuple[object, ...], _: object) -> None:
        tensors = tuple(a.detach().clone() for a in arguments if isinstance(a, Tensor))
        if len(tensors) == len(arguments) and all(t.is_floating_point() for t in tensors):
            calls.append((name, module, tensors))

    # A module's hook runs when its call ends, so inner layers come before those around them.
    handles = [m.register_forward_hook(partial(note, n)) for n, m in model.named_modules()]
    try:
        with torch.no_grad():
            forward.logits(model, images)
    finally:
        for handle in handles:
            handle.remove()
    for name, module, tensors in calls:
        try:
            _differentiate(module, tensors, order)
        except RuntimeError as error:
            return forward.layer_named(name, module), error
    return None


def _differentiate(module: nn.Module, inputs: Sequence[Tensor], order: int) -> None:
    """Raise if there is no derivative of this order with respect to the inputs."""
    with torch.enable_grad():
        sources = [tensor.requires_grad_() for tensor in inputs]
        output = module(*(tensor.clone() for tensor in sources))
        if not isinstance(output, Tensor) or not output.requires_grad:
            return
        found = torch.autograd.grad(
            output.square().sum(), sources, create_graph=order == 2, allow_unused=True
        )
        terms = [gradient.square().sum() for gradient in found if gradient is not None]
        if order == 2 and terms and (total := torch.stack(terms).sum()).requires_grad:
            torch.autograd.grad(total, sources, allow_unused=True)
