"""Scores of training samples, one number each, higher = more.

All are taken on un-augmented images with the model in evaluation mode, sample by sample. Scoring
changes neither weights, gradients, flags nor random state. See `register_score` to add a score.
"""

from collections.abc import Iterable, Sequence
from itertools import islice

from torch import Tensor, nn

from gradval.scores.class_normalisation import normalise_per_class
from gradval.scores.gradient_norm import gradient_norm_scores
from gradval.scores.loss import loss_scores
from gradval.scores.plis import plis_scores
from gradval.scores.registry import (
    SCORES,
    ScoreOptions,
    ScoringContext,
    compute_scores,
    register_score,
    reiterable,
)
from gradval.scores.validation import Images
from gradval.scores.vog import vog_scores

__all__ = [
    "SCORES",
    "ScoringContext",
    "gradient_norm_scores",
    "loss_scores",
    "normalise_per_class",
    "plis_scores",
    "register_score",
    "score_samples",
    "vog_scores",
]


def score_samples(
    model: nn.Module,
    checkpoints: Iterable[nn.Module],
    images: Images,
    labels: Tensor,
    scores: Sequence[str] = ("loss", "grad_norm", "vog", "plis"),
    *,
    sigma: float = 1.0,
    vog_target: str = "loss",
    vog_statistic: str = "printed",
    vog_channels: str = "separate",
    batch_size: int | None = None,
    progress: bool = False,
) -> dict[str, Tensor]:
    """Any set of scores of every sample; loss, gradient norm and PLIS share one pass.

    Args:
        model: the final model, mapping `(N, C, H, W)` to logits `(N, K)`; run in evaluation mode
            and left as it was.
        checkpoints: the checkpoints of VoG in the order of training, as in `vog_scores`; may be
            empty if VoG is not asked for. A sequence that loads them one by one must load them
            into a module other than `model`.
        images: `(N, C, H, W)` floating, or an object that loads such slices; not augmented.
        labels: `(N,)` integers in `0..K-1`.
        scores: keys of `SCORES`.
        sigma: as in `plis_scores`.
        vog_target: as in `vog_scores`.
        vog_statistic: as in `vog_scores`.
        vog_channels: as in `vog_scores`.
        batch_size: samples at a time; `None` for as many as fit. Does not change the result.
        progress: whether to show a progress bar.

    Returns:
        For each score `(N,)` on the CPU in the model's dtype; empty for no samples.

    Raises:
        ValueError: an unknown score or option, fewer than two checkpoints for VoG, the model mixes
            samples (BatchNorm) or has no parameter that requires gradients, the input is not of
            these shapes, types and ranges or not finite, or a score is not finite.
    """
    options = ScoreOptions(sigma, vog_target, vog_statistic, vog_channels)
    checkpoints = reiterable(checkpoints)
    first_two = list(islice(checkpoints, 2))
    if len(first_two) == 2 and all(checkpoint is model for checkpoint in first_two):
        raise ValueError("the checkpoints are loaded into the model itself; use another module")
    return compute_scores(scores, model, checkpoints, images, labels, options, batch_size, progress)
