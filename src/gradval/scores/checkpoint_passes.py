"""What the scores of checkpoints share: which checkpoints count, and one pass over each of them.

Several such scores of one batch look at the same checkpoints. Each is loaded and run once; what it
gave is kept beside the batch's own pass for whoever asks next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from gradval.scores.registry import ScoreOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gradval.scores.context import ScoringContext

T = TypeVar("T")
NAMED = ("first", "early", "late", "last", "all")
EXPECTED = f"{', '.join(NAMED)}, a number of them, or a list of positions from 0"


def _which(given: Any) -> str | int | list[int]:
    listed = given if isinstance(given, list | tuple) else None
    whole = isinstance(given, int) and not isinstance(given, bool) and given >= 1
    if whole or (isinstance(given, str) and given in NAMED):
        return given  # type: ignore[no-any-return]
    if listed and all(type(position) is int and position >= 0 for position in listed):
        return sorted(set(listed))
    raise PydanticCustomError("which", "must be {expected}", {"expected": EXPECTED})


# Which of K checkpoints: the first or last; `early` and `late`, the first and the last half,
# rounded up; all; so many of them, evenly from first to last; or those at some positions.
Which = Annotated[
    str | int | list[int],
    PlainValidator(_which),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": list(NAMED), "type": "string"},
                {"type": "integer", "minimum": 1},
                {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
            ]
        }
    ),
]


class CheckpointOptions(ScoreOptions):
    """Which checkpoints a score is taken from."""

    checkpoints: Which = "all"
    """first, early (the first half), late, last, all; a number of them; or a list of positions"""


@dataclass(frozen=True)
class CheckpointPass:
    """What a checkpoint says of N samples.

    Attributes:
        logits: `(N, K)`.
        squared_norms: `(N,)` squared L2 norm of the gradient of the loss with respect to the
            parameters; `None` if no score of the batch draws on gradients.
    """

    logits: Tensor
    squared_norms: Tensor | None


def positions(which: Which, count: int, score: str) -> tuple[int, ...]:
    """Positions of the chosen ones among `count` checkpoints, ascending.

    Args:
        which: the choice.
        count: how many there are.
        score: whose choice it is, for messages.

    Raises:
        ValueError: there is no checkpoint, or none at a position.
    """
    if count == 0:
        raise ValueError(f"{score} needs at least 1 checkpoint, but there are none")
    half = -(-count // 2)
    if isinstance(which, str):
        named = {"first": range(1), "last": range(count - 1, count), "all": range(count)}
        named |= {"early": range(half), "late": range(count - half, count)}
        return tuple(named[which])
    if isinstance(which, int):
        if which > count:
            raise ValueError(f"{score}: {which} checkpoints are chosen, but there are {count}")
        if which == 1:
            return (count - 1,)
        return tuple(round(i * (count - 1) / (which - 1)) for i in range(which))
    if max(which) >= count:
        raise ValueError(
            f"{score}: checkpoint {max(which)} is chosen, but there are 0 to {count - 1}"
        )
    return tuple(which)


def checkpoint_passes(context: ScoringContext, which: Which, score: str) -> list[CheckpointPass]:
    """The pass of every chosen checkpoint over the batch, in the order of training.

    Args:
        context: the batch. The passes are as deep as its scores need them, gradients at most.
        which: the checkpoints that count.
        score: whose choice it is, for messages.

    Raises:
        ValueError: as `positions`, or a checkpoint cannot be scored.
    """
    from gradval.ghost import sample_gradients
    from gradval.scores.evaluation import evaluating

    order = min(context.order, 1)

    def run(checkpoint: nn.Module) -> CheckpointPass:
        with evaluating(checkpoint) as plain:
            found = sample_gradients(
                plain, context.images, context.labels, order, first=context.first
            )
        return CheckpointPass(found.logits.detach(), found.squared_norms)

    return of_checkpoints(context, which, score, "passes", run)


def of_checkpoints(
    context: ScoringContext,
    which: Which,
    score: str,
    kind: str,
    run: Callable[[nn.Module], T],
) -> list[T]:
    """What `run` gives for every chosen checkpoint; what is known of this batch is not run again.

    Args:
        context, which, score: as in `checkpoint_passes`.
        kind: of what `run` gives: one name, one meaning.
        run: of a checkpoint, on the context's batch.
    """
    chosen, _ = chosen_positions(context, which, score)
    # Beside the cached pass of the context itself, and gone with it.
    known: dict[int, T] = vars(context).setdefault("of_checkpoints", {}).setdefault(kind, {})
    missing = set(chosen) - set(known)
    for position, checkpoint in enumerate(context.checkpoints if missing else ()):
        if position in missing:
            known[position] = run(checkpoint)
        if position == max(missing):
            break
    return [known[position] for position in chosen]


def chosen_positions(
    context: ScoringContext, which: Which, score: str
) -> tuple[tuple[int, ...], int]:
    """As `positions`, of the context's checkpoints, and how many of these there are."""
    sized: Any = context.checkpoints
    count = len(sized) if hasattr(sized, "__len__") else sum(1 for _ in sized)
    return positions(which, count, score), count
