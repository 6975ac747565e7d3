"""The norm of the gradient as a score."""

from torch import Tensor, nn

from gradval.scores.registry import ScoreOptions, ScoringContext, compute_scores, register_score
from gradval.scores.validation import Images


@register_score("grad_norm", order=1)
def _gradient_norm(context: ScoringContext) -> Tensor:
    return context.squared_norms.sqrt()


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
    names = ("grad_norm",)
    return compute_scores(names, model, (), images, labels, ScoreOptions(), batch_size, progress)[
        "grad_norm"
    ]
