"""Exact chance of the overlap of two selections, also where both are drawn class by class.

Two selections of a and b samples out of n share a hypergeometric number of samples if they have
nothing to do with each other. Selections by class-normalised scores follow the classes, though,
and share more than that merely because both like the same classes. Given how many samples of each
class either holds, the overlap within a class is hypergeometric and that of all is the sum over
classes, whose distribution is the convolution.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import scipy  # scipy.stats is loaded at its first use, which keeps our import fast
from numpy.typing import ArrayLike, NDArray

Pmf = NDArray[np.float64]
CONFIDENCE = 0.95
# Log odds between which the interval of an overlap is sought.
WIDEST = 40.0


@dataclass(frozen=True, slots=True)
class OverlapTest:
    """What an overlap says about two selections.

    Attributes:
        overlap: number of common samples.
        expected: its mean by chance.
        chance_low, chance_high: between them lie 95% of overlaps by chance (2.5% and 97.5%
            quantiles).
        p_above, p_below: two-sided p-values (twice the exact one-sided, at most 1) of more and of
            fewer common samples than by chance.
        low, high: exact 95% interval of the expected overlap of two such selections; it excludes
            ``expected`` if and only if a p-value is at most 0.05.
    """

    overlap: int
    expected: float
    chance_low: int
    chance_high: int
    p_above: float
    p_below: float
    low: float
    high: float


def overlap_distribution(counts_a: ArrayLike, counts_b: ArrayLike, sizes: ArrayLike) -> Pmf:
    """Probability of every overlap of two selections that are random within classes.

    Args:
        counts_a, counts_b: (C,) how many samples of each class the selections hold; one class
            where they are drawn from all alike.
        sizes: (C,) how many there are.

    Returns:
        pmf[k] for k = 0 .. sum of min(a, b).

    Raises:
        ValueError: the vectors differ in length, or a class has fewer samples than are selected.
    """
    a, b, n = (np.atleast_1d(np.asarray(x, dtype=np.int64)) for x in (counts_a, counts_b, sizes))
    if not a.shape == b.shape == n.shape:
        raise ValueError(f"one count a class is needed, got {len(a)}, {len(b)} and {len(n)}")
    if (a > n).any() or (b > n).any() or (np.minimum(a, b) < 0).any():
        raise ValueError("a selection holds more samples of a class than there are")
    parts = (
        scipy.stats.hypergeom.pmf(np.arange(min(x, y) + 1), z, x, y)
        for x, y, z in zip(a, b, n, strict=True)
        if x and y
    )
    return reduce(np.convolve, parts, np.ones(1))


def chance_interval(pmf: Pmf) -> tuple[int, int]:
    """Between what 95% of overlaps lie by chance: the 2.5% and the 97.5% quantile."""
    return _quantile(pmf, (1 - CONFIDENCE) / 2), _quantile(pmf, (1 + CONFIDENCE) / 2)


def overlap_test(
    overlap: int, counts_a: ArrayLike, counts_b: ArrayLike, sizes: ArrayLike
) -> OverlapTest:
    """Test an overlap against chance within classes (see `overlap_distribution`).

    The interval inverts the same test over the odds, one for all classes, at which a sample of the
    one selection is in the other too (Fisher's noncentral hypergeometric distribution), as the
    exact interval of an odds ratio does, and states it as an overlap.

    Raises:
        ValueError: as in `overlap_distribution`, or such an overlap is impossible.
    """
    chance = overlap_distribution(counts_a, counts_b, sizes)
    possible = np.flatnonzero(chance > 0)
    if overlap not in possible:
        raise ValueError(f"an overlap of {overlap} is impossible for these selections")
    chance_low, chance_high = chance_interval(chance)
    return OverlapTest(
        overlap=overlap,
        expected=_mean(chance),
        chance_low=chance_low,
        chance_high=chance_high,
        p_above=min(1.0, 2 * float(chance[overlap:].sum())),
        p_below=min(1.0, 2 * float(chance[: overlap + 1].sum())),
        low=float(overlap) if overlap == possible[0] else _bound(chance, overlap, above=True),
        high=float(overlap) if overlap == possible[-1] else _bound(chance, overlap, above=False),
    )


def _bound(chance: Pmf, overlap: int, above: bool) -> float:
    """Expected overlap at which what was observed, or beyond it, has a probability of 2.5%."""

    def excess(log_odds: float) -> float:
        pmf = _tilted(chance, log_odds)
        tail = pmf[overlap:] if above else pmf[: overlap + 1]
        return float(tail.sum()) - (1 - CONFIDENCE) / 2

    return _mean(_tilted(chance, scipy.optimize.brentq(excess, -WIDEST, WIDEST, xtol=1e-9)))


def _tilted(chance: Pmf, log_odds: float) -> Pmf:
    """The distribution at other odds: proportional to chance * odds^overlap, in every class."""
    with np.errstate(divide="ignore"):
        log_weights = np.log(chance) + log_odds * np.arange(len(chance))
    weights = np.exp(log_weights - log_weights.max())
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def pooled_overlap(overlaps: Sequence[int], chances: Sequence[Pmf]) -> float:
    """Two-sided p-value of the sum of independent overlaps lying above chance, exactly.

    Only for pairs of selections that have nothing in common, such as those of different runs of
    different seeds; if the pairs may depend on each other, demand that each be above chance.

    Args:
        overlaps: one a pair.
        chances: its distribution by chance (`overlap_distribution`).
    """
    total = reduce(np.convolve, chances, np.ones(1))
    return min(1.0, 2 * float(total[sum(overlaps) :].sum()))


def combine_p(p_values: ArrayLike, method: str = "fisher") -> float:
    """Combine one-sided p-values of independent tests by ``fisher`` or ``stouffer`` (SciPy)."""
    return float(scipy.stats.combine_pvalues(np.asarray(p_values, float), method=method).pvalue)


def _quantile(pmf: Pmf, share: float) -> int:
    """The smallest overlap up to which so much of the distribution lies."""
    return int(np.searchsorted(np.cumsum(pmf), share - 1e-12))


def _mean(pmf: Pmf) -> float:
    return float(pmf @ np.arange(len(pmf)))
