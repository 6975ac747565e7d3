"""Correlation between two scores of the same samples: of all, of the top, of the extremes."""

import numpy as np
import scipy  # scipy.stats is loaded at its first use, which keeps our import fast
from numpy.typing import ArrayLike

from gradval.selection.select import Scores, as_scores, select


def pearson(a: ArrayLike, b: ArrayLike) -> float:
    """Pearson correlation of two scores over all samples.

    Args:
        a, b: (N,) finite scores of the same samples in the same order.

    Returns:
        The coefficient in [-1, 1]; NaN where it is undefined (fewer than two samples, or a score
        that is the same for all of them).

    Raises:
        ValueError: the scores are not two finite vectors of one length.
    """
    x, y = _as_pair(a, b)
    return float(scipy.stats.pearsonr(x, y).statistic) if _varies(x, y) else np.nan


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman rank correlation of two scores over all samples, equal scores at their mean rank.

    Arguments, return value and errors as in `pearson`.
    """
    x, y = _as_pair(a, b)
    return float(scipy.stats.spearmanr(x, y).statistic) if _varies(x, y) else np.nan


def pearson_top(scores_a: ArrayLike, scores_b: ArrayLike, k: int = 1000) -> float:
    """Pearson correlation over the k samples with the largest ``scores_a`` (section 4.1).

    The paper does not say which of the two scores defines its "top 1000"; swap the arguments for
    the other direction.

    Args:
        scores_a, scores_b: (N,) finite scores of the same samples in the same order.
        k: how many samples to correlate, at least 1; all if there are not as many.

    Returns:
        The coefficient in [-1, 1], or NaN where it is undefined, as in `pearson`.

    Raises:
        ValueError: as in `pearson`, or k < 1.
    """
    a, b = _as_pair(scores_a, scores_b)
    top = select(a, min(k, len(a)))
    return pearson(a[top], b[top])


def pearson_extremes(a: ArrayLike, b: ArrayLike, k: int = 1000) -> float:
    """Pearson correlation over the particularly large and small scores (section 4.5).

    These are the samples among the k largest or the k smallest of either score. Being selected by
    either one, they correlate to some extent even if the scores are independent, unless these are
    symmetrically distributed: compare with the chance level, not with zero.

    Args:
        a, b: (N,) finite scores of the same samples in the same order.
        k: how many samples of each end of each score, at least 1; all if there are not as many.

    Returns:
        The coefficient in [-1, 1], or NaN where it is undefined, as in `pearson`.

    Raises:
        ValueError: as in `pearson`, or k < 1.
    """
    x, y = _as_pair(a, b)
    k = min(k, len(x))
    ends = [select(scores, k, largest) for scores in (x, y) for largest in (True, False)]
    extreme = np.unique(np.concatenate(ends))
    return pearson(x[extreme], y[extreme])


def _as_pair(a: ArrayLike, b: ArrayLike) -> tuple[Scores, Scores]:
    """Convert two scores of the same samples to float64 vectors, and check them."""
    x, y = as_scores(a), as_scores(b)
    if x.shape != y.shape:
        raise ValueError(f"scores must be of the same samples, got {len(x)} and {len(y)}")
    unusable = int((~np.isfinite(x) | ~np.isfinite(y)).sum())
    if unusable:
        raise ValueError(f"scores must be finite, but those of {unusable} samples are not")
    return x, y


def _varies(a: Scores, b: Scores) -> bool:
    """Whether a correlation is defined: at least two samples and no constant score."""
    return bool(len(a) > 1 and np.ptp(a) > 0 and np.ptp(b) > 0)
