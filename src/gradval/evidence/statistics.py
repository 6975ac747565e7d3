"""Tests over a few independent replicates: one value a seed, or one a seed from several runs.

Whatever SciPy or statsmodels has comes from there. All p-values here are two-sided in the sense
that 0.05 and the 95% interval agree: for a claim with a direction it is twice the one-sided value,
so that a claim without any truth in it is supported in 2.5% of studies, not 5%.
"""

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd
import scipy  # scipy.stats is loaded at its first use, which keeps our import fast
from numpy.typing import ArrayLike, NDArray
from scipy import special  # scipy.stats, which has the same, takes 1.5 s to import

from gradval.evidence.intervals import Summary, summarise

LEVEL = 0.05
# Replicates from which a t-test of the mean is taken for an answer: below, the interval is as wide
# as anything that could be found, and its shape rests on normality alone.
FEWEST_REPLICATES = 5

Values = NDArray[np.float64]


def p_above(values: ArrayLike, null: float = 0.0) -> float:
    """Two-sided p-value (twice the one-sided, at most 1) of the mean lying above a number.

    Student's t. Equal values have no spread to judge by, so they get the p-value of the sign test,
    2 / 2^n, which assumes nothing about their distribution.

    Args:
        values: (n,) independent replicates; NaN is left out.
        null: the number.

    Returns:
        In (0, 1]; NaN for fewer than two values or an infinite one.
    """
    given = _known(values)
    if len(given) < 2 or not np.isfinite(given).all():
        return math.nan
    if np.ptp(given) == 0:
        return min(1.0, 2 * 0.5 ** len(given)) if given[0] > null else 1.0
    t = (given.mean() - null) / (given.std(ddof=1) / math.sqrt(len(given)))
    return min(1.0, 2 * float(special.stdtr(len(given) - 1, -t)))


def p_below(values: ArrayLike, null: float = 0.0) -> float:
    """As `p_above`, of the mean lying below a number."""
    return p_above(-_known(values), -null)


def p_equivalent(values: ArrayLike, tolerance: float) -> float:
    """Two-sided p-value of the mean lying within ±tolerance: two one-sided t-tests (TOST).

    Args:
        values: (n,) independent differences; NaN is left out.
        tolerance: the largest difference that counts as none, above 0.

    Returns:
        At most 0.05 if and only if the 95% interval lies inside ±tolerance.

    Raises:
        ValueError: the tolerance is not above 0.
    """
    if not tolerance > 0:
        raise ValueError(f"the tolerance of an equivalence must be above 0, got {tolerance}")
    return _largest(p_above(values, -tolerance), p_below(values, tolerance))


def p_different(values: ArrayLike, tolerance: float) -> float:
    """Two-sided p-value of the mean lying beyond ±tolerance (see `p_equivalent`)."""
    return min(p_above(values, tolerance), p_below(values, -tolerance))


def holm(p_values: ArrayLike) -> Values:
    """Adjust the p-values of one family by Holm (1979); NaN stays NaN and does not count."""
    adjusted = np.array(p_values, dtype=np.float64)
    known = ~np.isnan(adjusted)
    if known.sum() > 1:
        from statsmodels.stats.multitest import multipletests  # slow to import

        adjusted[known] = multipletests(adjusted[known], method="holm")[1]
    return adjusted


def sign_flip_test(differences: ArrayLike) -> float:
    """Exact two-sided p-value of a mean difference under random signs (paired permutation test).

    No assumption but symmetry under no effect. Its smallest value is 2 / 2^n: five replicates can
    never reach 0.05, six can.

    Args:
        differences: (n,) paired differences; NaN is left out. Up to 16 are enumerated exactly,
            more are sampled 65,536 times from a fixed generator.
    """
    given = _known(differences)
    if len(given) < 2:
        return math.nan
    result = scipy.stats.permutation_test(
        (given,),
        lambda sample, axis: sample.mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**16,
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)


def clustered(frame: pd.DataFrame, value: str, cluster: str = "seed") -> Summary:
    """Mean of values that come in clusters, every cluster counting once.

    The values of one seed share its initial weights and are not independent; the means of seeds
    are. With equal clusters this is the intercept of a regression with cluster-robust errors.

    Args:
        frame: one row a value.
        value, cluster: columns.
    """
    return summarise(frame.groupby(cluster)[value].mean())


def jackknife_values(
    full: float, left_out: Mapping[Hashable, float] | Sequence[float] | pd.Series
) -> pd.Series:
    """Pseudo-values of a statistic: n * full - (n - 1) * (without the i-th unit).

    Their mean estimates the statistic and their spread its error (Tukey 1958): `summarise` gives
    the interval. For a mean over units they are the units' own values. This is how a statistic of
    pairs of initial weights, whose pairs are not independent, gets an interval over weights.

    Args:
        full: the statistic of all n units.
        left_out: unit -> the statistic without it.

    Returns:
        One value a unit; NaN throughout if the statistic is undefined without some unit.
    """
    without = pd.Series(left_out, dtype="float64")
    n = len(without)
    values = n * full - (n - 1) * without
    return values if values.notna().all() else values * math.nan


def bootstrap_interval(values: ArrayLike, seed: int = 0) -> tuple[float, float]:
    """95% bootstrap (BCa) interval of the mean of independent values, from a fixed generator.

    Meant for many values, such as samples; of a handful the interval is too narrow.
    """
    given = _known(values)
    if len(given) < 2 or np.ptp(given) == 0:
        return (math.nan, math.nan) if len(given) < 2 else (float(given[0]), float(given[0]))
    found = scipy.stats.bootstrap((given,), np.mean, rng=np.random.default_rng(seed))
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def detectable_effect(n: int, power: float = 0.8) -> float:
    """Smallest mean, in standard deviations, that a two-sided t-test of n values finds so often."""
    from statsmodels.stats.power import TTestPower  # slow to import

    return float(TTestPower().solve_power(nobs=n, alpha=LEVEL, power=power))


def required_replicates(effect: float, power: float = 0.8) -> int:
    """Number of replicates for which `detectable_effect` is at most `effect` (above 0)."""
    if not effect > 0:
        raise ValueError(f"an effect to be found must be above 0, got {effect}")
    n = 2
    while detectable_effect(n, power) > effect:
        n += max(1, n // 20)
    return n


def accuracy_error(accuracy: float, samples: int) -> float:
    """Standard error of an accuracy in [0, 1] from the finite test set: sqrt(a (1 - a) / n)."""
    return math.sqrt(accuracy * (1 - accuracy) / samples)


def disattenuated(between: float, reliability_a: float, reliability_b: float) -> float:
    """Correlation of two scores corrected for their unreliability (Spearman 1904).

    Two noisy scores cannot correlate better than they do with themselves in another run. The
    quotient estimates the correlation of what is stable in each.

    Args:
        between: correlation of score a with score b, of *different* runs: those of one run share
            its noise, which would make the quotient too large.
        reliability_a, reliability_b: correlation of each with itself between two such runs.

    Returns:
        The quotient, which may exceed 1 by chance; NaN if a reliability is not positive.
    """
    product = reliability_a * reliability_b
    if not (reliability_a > 0 and product > 0):
        return math.nan
    return between / math.sqrt(product)


def runs_for_reliability(reliability: float, target: float = 0.9) -> float:
    """How many runs to average for a reliability, by Spearman and Brown (1910).

    Args:
        reliability: correlation between single runs, in (0, 1).
        target: the reliability that their mean shall have, in (0, 1).

    Returns:
        The (fractional) number; infinite if the reliability is not positive.
    """
    if not reliability > 0:
        return math.inf
    return max(1.0, target * (1 - reliability) / (reliability * (1 - target)))


def _known(values: ArrayLike) -> Values:
    given = np.asarray(values, dtype=np.float64)
    return given[~np.isnan(given)]


def _largest(*values: float) -> float:
    """The maximum, NaN if any is (Python's `max` depends on the order then)."""
    return float(np.max(values))
