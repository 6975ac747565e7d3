"""TracIn self-influence: how much steps on a sample lowered its own loss (Pruthi et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from gradval.scores.checkpoint_passes import CheckpointOptions
from gradval.scores.registry import Score

if TYPE_CHECKING:
    from torch import Tensor

    from gradval.scores.context import ScoringContext

Rate = Annotated[float, Field(ge=0)]


class TracinOptions(CheckpointOptions):
    """From which checkpoints, and by which learning rates."""

    learning_rates: list[Rate] | None = None
    """one for each checkpoint that there is; left out: those of the training if known, else 1"""


def _tracin(context: ScoringContext, options: TracinOptions) -> Tensor:
    """`sum_t eta_t || grad_theta l ||_2^2` over the checkpoints t, unclipped, `(N,)`."""
    import torch

    from gradval.scores.checkpoint_passes import checkpoint_passes, chosen_positions

    passes = checkpoint_passes(context, options.checkpoints, "tracin")
    chosen, count = chosen_positions(context, options.checkpoints, "tracin")
    given = options.learning_rates or [1.0] * count
    if len(given) != count:
        raise ValueError(
            f"tracin.learning_rates: {len(given)} are given for {count} checkpoints; give one each"
        )
    squares = torch.stack([p.squared_norms for p in passes if p.squared_norms is not None])
    weights = squares.new_tensor([given[position] for position in chosen])
    return (weights[:, None] * squares).sum(0)


SCORE = Score(_tracin, order=1, options=TracinOptions)
