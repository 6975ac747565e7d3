"""The norm of the gradient as a score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradval.scores.registry import Score, ScoreOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gradval.scores.context import ScoringContext
    from gradval.scores.validation import Images


def _gradient_norm(context: ScoringContext, options: ScoreOptions) -> Tensor:
    return context.squared_norms.sqrt()


SCORE = Score(_gradient_norm, order=1)


def gradient_norm_scores(
    model: nn.Module,
    images: Images,
    labels: Tensor,
    *,
    batch_size: int | None = None,
    progress: bool = False,
) -> Tensor:
    """L2 norm of the gradient of the loss with respect to the parameters, unclipped.

    The parameters are all those of the model that require gradients.

    Args:
        model: maps `(N, C, H, W)` to logits `(N, K)`; run in evaluation mode and left as it was.
        images: `(N, C, H, W)` floating, or an object that loads such slices; not augmented.
        labels: `(N,)` integers in `0..K-1`.
        batch_size: samples at a time; `None` for as many as fit. Does not change the result.
        progress: whether to show a progress bar.

    Returns:
        `(N,)` on the CPU in the model's dtype, at least 0; empty for no samples.

    Raises:
        ValueError: the model mixes samples (BatchNorm) or has no parameter that requires
            gradients, the input is not of these shapes, types and ranges or not finite, or a
            score is not finite.
    """
    from gradval.scores.compute import compute_score

    return compute_score(
        "grad_norm", model, images, labels, batch_size=batch_size, progress=progress
    )
