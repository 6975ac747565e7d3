"""Forgetting events: how often a sample that was classified right is wrong later (Toneva 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradval.scores.checkpoint_passes import CheckpointOptions
from gradval.scores.registry import Score

if TYPE_CHECKING:
    from torch import Tensor

    from gradval.scores.context import ScoringContext


def _forgetting(context: ScoringContext, options: CheckpointOptions) -> Tensor:
    """Events between consecutive checkpoints; K, more than can be counted, if never learnt; `(N,)`.

    Toneva et al. count at every presentation of a sample, and order those that were never learnt
    above all others.
    """
    import torch

    from gradval.scores.checkpoint_passes import checkpoint_passes

    passes = checkpoint_passes(context, options.checkpoints, "forgetting")
    if len(passes) < 2:
        raise ValueError(f"forgetting needs at least 2 checkpoints, but there are {len(passes)}")
    right = torch.stack([p.logits.argmax(1) == context.labels for p in passes])
    events = (right[:-1] & ~right[1:]).sum(0)
    return torch.where(right.any(0), events, len(passes)).to(context.images.dtype)


SCORE = Score(_forgetting, order=0, options=CheckpointOptions)
