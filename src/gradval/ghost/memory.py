"""What was found for a model, for as long as the model is what it was."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import ReferenceType, WeakKeyDictionary, ref

from torch import Tensor, nn

from gradval.ghost.rules import registered_rules

Value = TypeVar("Value")


@dataclass(frozen=True)
class _Answer:
    """What was found for a model, and the model as it was then."""

    parts: tuple[ReferenceType[Any], ...]
    state: Any
    value: Any


_answers: WeakKeyDictionary[nn.Module, dict[Hashable, _Answer]] = WeakKeyDictionary()


def remembered(key: Hashable, find: Callable[[], Value], model: nn.Module, images: Tensor) -> Value:
    """`find()`, anew only if the model is not what it was.

    It is for as long as it has the same modules in the same modes, the same parameters with the
    same `requires_grad`, the same buffers, images of the same size and the same layer rules.

    Args:
        key: of the question.
        find: the answer; if it raises, nothing is remembered.
        model: whom it is about.
        images: `(N, C, H, W)`.
    """
    parts: list[Any] = []
    flags: list[bool] = []
    for module in model.modules():
        parameters = [p for p in module._parameters.values() if p is not None]
        parts += [module, *parameters, *(b for b in module._buffers.values() if b is not None)]
        flags += [module.training, "forward" in module.__dict__]
        flags += [p.requires_grad for p in parameters]
    state = flags, images.shape[1:], registered_rules()
    known = _answers.setdefault(model, {}).get(key)
    if known is None or known.state != state or not _are(known.parts, parts):
        # Weak references: the memory keeps nothing alive, and an id may come again.
        known = _Answer(tuple(ref(part) for part in parts), state, find())
        _answers[model][key] = known
    value: Value = known.value
    return value


def _are(references: Sequence[ReferenceType[Any]], parts: Sequence[Any]) -> bool:
    return len(references) == len(parts) and all(
        reference() is part for reference, part in zip(references, parts, strict=True)
    )
