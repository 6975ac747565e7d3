"""Models whose code reads values of the samples, to branch on or to compute with.

Such a model decides for a whole batch what it should decide for each sample, which no gradient
shows and `torch.func.vmap` cannot follow.
"""

import sys
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gradval.ghost import forward

READS = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default)


def reading_layer(model: nn.Module, images: Tensor) -> str | None:
    """The layer whose code reads a value that depends on the images, in words; `None` if none does.

    Args:
        model: used in the mode it is in.
        images: `(N, C, H, W)` for a run without gradients.
    """
    watch = _Watch(model, images)
    with torch.no_grad(), watch:
        forward.logits(model, images)
    return watch.reader


class _Watch(TorchDispatchMode):
    """Follows what is computed from the images, by its memory, and sees when it is read."""

    def __init__(self, model: nn.Module, images: Tensor) -> None:
        super().__init__()
        self.reader: str | None = None
        self._names = {id(module): name for name, module in model.named_modules()}
        # The tensors are kept, so that none takes the place of another.
        self._kept: dict[int, list[Tensor]] = {}
        self._follow(images)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Else PyTorch imports its compiler, to keep it out; that takes longer than a small job.
        return False

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        touched = any(_memory(t) in self._kept for t in tree_leaves((args, kwargs)))
        if touched and function in READS and self.reader is None:
            self.reader = self._innermost()
        result = function(*args, **(kwargs or {}))
        if touched:
            for tensor in tree_leaves(result):
                self._follow(tensor)
        return result

    def _follow(self, tensor: Any) -> None:
        memory = _memory(tensor)
        if memory is not None:
            self._kept.setdefault(memory, []).append(tensor)

    def _innermost(self) -> str:
        frame = sys._getframe(1)
        while frame is not None:
            owner = frame.f_locals.get("self")
            if isinstance(owner, nn.Module) and id(owner) in self._names:
                return forward.layer_named(self._names[id(owner)], owner)
            frame = frame.f_back  # type: ignore[assignment]
        return "the model"


def _memory(value: Any) -> int | None:
    """Where a tensor's numbers lie; `None` for what has none."""
    if not isinstance(value, Tensor) or value.layout != torch.strided:
        return None
    return value.untyped_storage().data_ptr() or None
