"""How likely each canary was there, from what was seen of every step.

If step t adds the canary with probability q and Gaussian noise of variance v, what is seen of a
canary that is there is 1 or 0 plus noise, and of an absent one 0 plus noise. The logarithm of the
likelihood ratio is

    sum_t log(1 - q + q exp((2 y_t - 1) / (2 v))),

the best that anyone can go by, and what the accountant's epsilon is about. How the noise really is,
its variance in each step and what one step's tells of another's, is learnt from places that are
known to be empty; so noise that is missing or repeated gives the canaries away.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Standard deviation in clipping norms to which noise is at least taken: all is told long before.
_LEAST_NOISE = 0.03
# Correlations of steps within so many standard errors of zero are taken for none.
_SIGNIFICANT = 5.0


def inclusion_scores(seen: Floats, references: Floats, rates: Sequence[float]) -> Floats:
    """Score canaries; larger for those that were there.

    Args:
        seen: `(T, m)`, of each step and canary, in clipping norms.
        references: `(T, R)`, the same of empty places.
        rates: T sampling rates, as they are claimed.

    Returns:
        `(m,)` log-likelihood ratios.

    Raises:
        ValueError: something that was seen is not finite.
    """
    if not (np.isfinite(seen).all() and np.isfinite(references).all()):
        raise ValueError("a weight of the audited training is not finite")
    precision = np.linalg.inv(_noise_covariance(references))
    variance = 1 / np.diag(precision)[:, None]
    # Without what the noise of the other steps, as far as they show it, says of this step's.
    cleared = variance * (precision @ seen)
    scores = np.zeros(seen.shape[1])
    with np.errstate(divide="ignore"):
        for q, y, v in zip(rates, cleared, variance, strict=True):
            scores += np.logaddexp(np.log1p(-q), np.log(q) + (2 * y - 1) / (2 * v))
    return scores


def noise_scale(references: Floats, noise_multipliers: Sequence[float]) -> float:
    """How much larger the noise is than claimed: mean logarithm of the ratio over the steps.

    Args:
        references: `(T, R)`, as above.
        noise_multipliers: T claimed standard deviations in clipping norms.
    """
    found = np.maximum(references.std(1), _LEAST_NOISE)
    return float(np.log(found / np.asarray(noise_multipliers)).mean())


def _noise_covariance(references: Floats) -> Floats:
    """Covariance `(T, T)` of the noise of the steps, without what may be chance."""
    covariance = np.atleast_2d(np.cov(references))
    deviations = np.sqrt(np.diag(covariance)) + 1e-12
    correlations = covariance / np.outer(deviations, deviations)
    chance = np.abs(correlations) < _SIGNIFICANT / np.sqrt(references.shape[1])
    np.fill_diagonal(chance, False)
    covariance[chance] = 0.0
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.maximum(values, _LEAST_NOISE**2)) @ vectors.T)
