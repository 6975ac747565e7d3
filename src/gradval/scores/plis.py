"""PLIS: privacy loss-input susceptibility (Eqs. 3-4; Mueller et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradval.scores.registry import Score, ScoreOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gradval.scores.context import ScoringContext
    from gradval.scores.validation import Images


def _plis(context: ScoringContext, options: ScoreOptions) -> Tensor:
    import torch

    jacobian = context.susceptibilities / context.sigma**2
    # The Jacobian of a scalar has one row: its spectral norm is its L2 norm.
    rows = jacobian.flatten(1)
    # In units of the largest entry: squares of the entries of confident samples underflow.
    units = rows.abs().amax(1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
    norms: Tensor = torch.linalg.vector_norm(rows / units, dim=1) * units[:, 0]
    return norms


SCORE = Score(_plis, order=2)


def plis_scores(
    model: nn.Module,
    images: Images,
    labels: Tensor,
    sigma: float = 1.0,
    *,
    batch_size: int | None = None,
    progress: bool = False,
) -> Tensor:
    """`|| grad_x ( ||grad_theta l||^2 / sigma^2 ) ||_2`, Eqs. 3-4 of the paper.

    theta are all parameters of the model that require gradients. ReLU has a second derivative of
    zero almost everywhere, and that is what is used.

    Args:
        model: maps `(N, C, H, W)` to logits `(N, K)`; run in evaluation mode and left as it was.
        images: `(N, C, H, W)` floating, or an object that loads such slices; not augmented.
        labels: `(N,)` integers in `0..K-1`.
        sigma: standard deviation of the noise on the gradient sum: noise multiplier times
            clipping norm, 1 for a model trained without noise.
        batch_size: samples at a time; `None` for as many as fit. Does not change the result.
        progress: whether to show a progress bar.

    Returns:
        `(N,)` on the CPU in the model's dtype, at least 0; empty for no samples.

    Raises:
        ValueError: sigma is not positive, the model mixes samples (BatchNorm) or has no parameter
            that requires gradients, the input is not of these shapes, types and ranges or not
            finite, or a score is not finite.
    """
    from gradval.scores.compute import compute_score

    return compute_score(
        "plis", model, images, labels, sigma=sigma, batch_size=batch_size, progress=progress
    )
