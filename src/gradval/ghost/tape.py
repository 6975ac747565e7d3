"""Recording what went into, and what came out of, every layer with parameters."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from gradval.ghost import forward
from gradval.ghost.rules import Gradients, LayerRule, rule_for


@dataclass(frozen=True)
class LayerCall:
    """One call of one layer.

    Attributes:
        layer: the layer.
        rule: its rule.
        names: names of the layer's own trainable parameters.
        activation: what the rule needs of the input, or of the output.
        tensors: the tensors in it.
        versions: their versions when they were recorded.
        edge: the output's place in the autograd graph, before anything modified it in place.
    """

    layer: nn.Module
    rule: LayerRule
    names: tuple[str, ...]
    activation: Any
    tensors: tuple[Tensor, ...]
    versions: tuple[int, ...]
    edge: GradientEdge


class LayerGradients:
    """Per-sample gradients of one layer, from its calls and their output gradients.

    Args:
        call: any of the layer's calls.
        views: consecutive rows that belong to one sample.
    """

    def __init__(self, call: LayerCall, views: int) -> None:
        self.layer, self.rule, self.names = call.layer, call.rule, call.names
        self.views = views
        self.calls: list[tuple[Any, Tensor]] = []
        self._formed: Gradients | None = None
        # Samples whose gradients alone are formed, and these.
        self._selected: Tensor | None = None
        self._formed_of_selected: Gradients = {}

    def form_if_cheaper(self) -> None:
        """Form the per-sample gradients if that is the cheapest way to norms and weighted sums."""
        if self.rule.forms_gradients(self.layer, *self.calls[0], self.views):
            self._form()

    def squared_norms(self) -> Tensor:
        """Squared norms `(N,)` over the layer's trainable parameters."""
        formed = self._formed_gradients()
        if formed is not None:
            return _squares(formed)
        norms = self.rule.squared_norms(self.layer, *self.calls[0], self.views)
        return _total(norms[name] for name in self.names)

    def cancelling_squares(self) -> Tensor:
        """Squares `(N,)` to which the rounding of `squared_norms` and `weighted` is relative.

        Zeros where both come from the same formed gradients, and so fit each other in any case.
        """
        activation, output_grad = self.calls[0]
        if self._formed_gradients() is not None:
            return output_grad.new_zeros(len(output_grad) // self.views)
        return self.rule.cancelling_squares(self.layer, activation, output_grad, self.views)

    def form_selected(self, selected: Tensor) -> Tensor:
        """Form the gradients of the samples that a mask `(N,)` selects; their squared norms."""
        rows = selected.repeat_interleave(self.views)
        activation, output_grad = self.calls[0]
        some = (
            tuple(tensor[rows] for tensor in activation)
            if isinstance(activation, tuple)
            else activation[rows]
        )
        found = self.rule.per_sample_gradients(self.layer, some, output_grad[rows], self.views)
        self._selected = selected
        self._formed_of_selected = {name: found[name] for name in self.names}
        return _squares(self._formed_of_selected)

    def weighted(self, weights: Tensor) -> Gradients:
        """Sums over samples of `weights` `(N,)` times gradient, by the layer's parameter names."""
        formed = self._formed_gradients()
        if formed is not None:
            return {name: torch.tensordot(weights, g, dims=1) for name, g in formed.items()}
        others = weights if self._selected is None else weights.masked_fill(self._selected, 0)
        rows = others.repeat_interleave(self.views)
        sums = self.rule.weighted_gradients(self.layer, *self.calls[0], rows)
        if self._selected is not None:
            own = weights[self._selected]
            for name, gradients in self._formed_of_selected.items():
                sums[name] = sums[name] + torch.tensordot(own, gradients, dims=1)
        return {name: sums[name] for name in self.names}

    def _formed_gradients(self) -> Gradients | None:
        # The gradients of several calls add up before they are squared.
        if len(self.calls) > 1:
            self._form()
        return self._formed

    def _form(self) -> None:
        if self._formed is None:
            calls = [
                self.rule.per_sample_gradients(self.layer, *call, self.views) for call in self.calls
            ]
            self._formed = {name: _total(call[name] for call in calls) for name in self.names}


def _squares(gradients: Gradients) -> Tensor:
    return _total(g.flatten(1).square().sum(1) for g in gradients.values())


def _total(terms: Iterator[Tensor]) -> Tensor:
    first = next(terms)
    return sum(terms, start=first)


class LayerTape:
    """Context in which a model's layers record their calls and its parameters are frozen.

    Within the context no weight gradient is ever formed: layers run through their rules, and
    gradients are taken with respect to layer outputs and inputs only. Leaving it restores the
    layers and the parameters' `requires_grad`, also after an exception. Entering costs about as
    much as visiting every module once, so a training step may enter anew each time.

    Whether the recorded calls account for every trainable parameter is for
    `gradval.ghost.coverage.covers` to say.

    Attributes:
        calls: calls of layers with trainable parameters, in the order of the last run.
        unrecorded: whether, in the last run, such a layer was called with gradients disabled.
        deviating: in a trial, the layers for which their rule computed something else than they
            do themselves.

    Args:
        model: any module; its parameters that require gradients are "the parameters".
        trial: whether to compare rules with their layers, and to leave the parameters unfrozen.
    """

    def __init__(self, model: nn.Module, trial: bool = False) -> None:
        self.model = model
        self.calls: list[LayerCall] = []
        self.unrecorded = False
        self.deviating: list[nn.Module] = []
        self._trial = trial
        self._recording = False
        self._stack = ExitStack()

    def __enter__(self) -> "LayerTape":
        with ExitStack() as stack:
            for layer in self.model.modules():
                own = dict(layer.named_parameters(recurse=False))
                rule = rule_for(layer)
                if rule is None or not own:
                    continue
                names = tuple(name for name, p in own.items() if p.requires_grad)
                layer.forward = partial(self._run, layer, rule, names)
                stack.callback(layer.__dict__.pop, "forward")
            if not self._trial:
                stack.enter_context(frozen_parameters(self.model))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.calls = []
        self._stack.close()

    def __call__(self, inputs: Tensor) -> Tensor:
        """Logits of `inputs` (see `gradval.ghost.forward`), replacing the calls recorded before."""
        self.calls = []
        self.unrecorded = False
        self._recording = True
        try:
            return forward.logits(self.model, inputs)
        finally:
            # Gradient checkpointing runs layers once more, in the backward.
            self._recording = False

    def layers(
        self, output_grads: Sequence[Tensor | None], rows: int, views: int = 1
    ) -> list[LayerGradients]:
        """Join the recorded calls with the gradients at their `edges`.

        Args:
            output_grads: gradient of the summed loss for each call; `None` for a call that the
                loss does not depend on.
            rows: size of the batch.
            views: consecutive rows that belong to one sample.

        Returns:
            One entry for each layer that has a gradient.

        Raises:
            ValueError: a recorded activation was modified in place after the layer had used it,
                or its first dimension is not the batch.
        """
        layers: dict[nn.Module, LayerGradients] = {}
        for call, grad in zip(self.calls, output_grads, strict=True):
            if grad is None:
                continue
            if len(call.tensors[0]) != rows:
                raise ValueError(
                    f"the input of a {type(call.layer).__name__} layer has "
                    f"{len(call.tensors[0])} rows for a batch of {rows} samples; the samples "
                    "must be its first dimension"
                )
            for what, tensor, version in zip(
                ("input", "output"), call.tensors, call.versions, strict=False
            ):
                if tensor._version != version:
                    raise ValueError(
                        f"the {what} of a {type(call.layer).__name__} layer is modified in place "
                        "after the layer has used it; use an operation that is not in-place"
                    )
            if call.layer not in layers:
                layers[call.layer] = LayerGradients(call, views)
            layers[call.layer].calls.append((call.activation, grad))
        return list(layers.values())

    @property
    def edges(self) -> list[GradientEdge]:
        """Places in the graph of the recorded outputs, for `torch.autograd.grad`."""
        return [call.edge for call in self.calls]

    def _run(
        self, layer: nn.Module, rule: LayerRule, names: tuple[str, ...], input: Tensor
    ) -> Tensor:
        """The layer's `forward`; `input` is what PyTorch's layers call their argument."""
        activation, output = rule.run(layer, input)
        if self._trial and _deviates(output, layer, input):
            self.deviating.append(layer)
        if not (self._recording and names):
            return output
        if not torch.is_grad_enabled():
            self.unrecorded = True
        else:
            if not output.requires_grad:
                # The input does not depend on anything that requires gradients, but the
                # parameters do count. A clone, because leaves forbid in-place operations.
                output = output.requires_grad_().clone()
            edge = get_gradient_edge(output)
            tensors = activation if isinstance(activation, tuple) else (activation,)
            versions = tuple(tensor._version for tensor in tensors)
            self.calls.append(LayerCall(layer, rule, names, activation, tensors, versions, edge))
        return output


@torch.no_grad()
def _deviates(output: Tensor, layer: nn.Module, inputs: Tensor) -> bool:
    """Whether `output` is not what the layer computes, by more than rounding can explain."""
    expected = type(layer).forward(layer, inputs)
    if output.shape != expected.shape:
        return True
    eps = torch.finfo(expected.dtype).eps
    # The second term: normalisation of an input that is all but constant magnifies its rounding.
    tolerance = eps ** (1 / 3) * expected.abs().max() + 1000 * eps * inputs.abs().max()
    return bool((output - expected).abs().max() > tolerance)


@contextmanager
def frozen_parameters(model: nn.Module) -> Iterator[None]:
    """Context in which no parameter requires gradients; restores the flags at its end."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    for parameter in trainable:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)
