"""GraNd: the norm of the gradient early in training (Paul et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradval.scores.checkpoint_passes import CheckpointOptions, Which
from gradval.scores.registry import Score

if TYPE_CHECKING:
    from torch import Tensor

    from gradval.scores.context import ScoringContext


class GrandOptions(CheckpointOptions):
    """From which checkpoints."""

    checkpoints: Which = "first"
    """first, early (the first half), late, last, all; a number of them; or a list of positions"""


def _grand(context: ScoringContext, options: GrandOptions) -> Tensor:
    """Mean over the checkpoints of `|| grad_theta l ||_2`, unclipped, `(N,)`."""
    import torch

    from gradval.scores.checkpoint_passes import checkpoint_passes

    passes = checkpoint_passes(context, options.checkpoints, "grand")
    norms = [p.squared_norms.sqrt() for p in passes if p.squared_norms is not None]
    return torch.stack(norms).mean(0)


SCORE = Score(_grand, order=1, options=GrandOptions)
