"""EL2N: the norm of the error vector early in training (Paul et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradval.scores.checkpoint_passes import CheckpointOptions, Which
from gradval.scores.registry import Score

if TYPE_CHECKING:
    from torch import Tensor

    from gradval.scores.context import ScoringContext


class El2nOptions(CheckpointOptions):
    """From which checkpoints."""

    checkpoints: Which = "first"
    """first, early (the first half), late, last, all; a number of them; or a list of positions"""


def _el2n(context: ScoringContext, options: El2nOptions) -> Tensor:
    """Mean over the checkpoints of `|| softmax(f(x)) - onehot(y) ||_2`, `(N,)` in [0, sqrt(2)]."""
    import torch

    from gradval.scores.checkpoint_passes import checkpoint_passes

    passes = checkpoint_passes(context, options.checkpoints, "el2n")
    return torch.stack([_error_norm(p.logits, context.labels) for p in passes]).mean(0)


def _error_norm(logits: Tensor, labels: Tensor) -> Tensor:
    # 1 - p of the true class is the sum of the others, which keeps the digits of confident samples.
    others = logits.softmax(1).scatter(1, labels[:, None], 0.0)
    squares: Tensor = others.square().sum(1) + others.sum(1).square()
    return squares.sqrt()


SCORE = Score(_el2n, order=0, options=El2nOptions)
