"""Tests over few replicates, against SciPy, statsmodels and published tables."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.api as sm
from statsmodels.stats.weightstats import ttost_paired

from gradval.evidence.intervals import summarise
from gradval.evidence.statistics import (
    accuracy_error,
    bootstrap_interval,
    clustered,
    detectable_effect,
    disattenuated,
    holm,
    jackknife_values,
    p_above,
    p_below,
    p_different,
    p_equivalent,
    required_replicates,
    runs_for_reliability,
    sign_flip_test,
)

VALUES = np.array([1.2, 0.4, 2.1, 0.9, 1.4])


def test_p_values_are_scipys_doubled() -> None:
    two_sided = scipy.stats.ttest_1samp(VALUES, 0.5).pvalue
    assert p_above(VALUES, 0.5) == pytest.approx(two_sided)
    assert p_below(VALUES, 0.5) == 1.0
    assert p_below(-VALUES, -0.5) == pytest.approx(two_sided)


@pytest.mark.parametrize("null", np.linspace(-0.5, 2.5, 13))
def test_p_values_and_interval_agree(null: float) -> None:
    found = summarise(VALUES)
    assert (p_above(VALUES, null) <= 0.05) == (found.low >= null)
    assert (p_below(VALUES, null) <= 0.05) == (found.high <= null)


@pytest.mark.parametrize("tolerance", [0.5, 1.0, 1.9, 2.0, 2.1, 3.0])
def test_equivalence_is_statsmodels_and_agrees_with_the_interval(tolerance: float) -> None:
    p = ttost_paired(VALUES, np.zeros(5), -tolerance, tolerance)[0]
    assert p_equivalent(VALUES, tolerance) == pytest.approx(min(1, 2 * p))
    found = summarise(VALUES)
    inside = -tolerance <= found.low and found.high <= tolerance
    assert (p_equivalent(VALUES, tolerance) <= 0.05) == inside
    outside = found.low >= tolerance or found.high <= -tolerance
    assert (p_different(VALUES, tolerance) <= 0.05) == outside
    with pytest.raises(ValueError, match="must be above 0"):
        p_equivalent(VALUES, 0)


def test_equal_values_have_the_p_value_of_signs() -> None:
    assert p_above([1.0] * 5) == 2 / 2**5 and p_above([1.0] * 6) == 2 / 2**6
    assert p_above([0.0] * 9) == 1.0 == p_below([0.0] * 9)
    assert math.isnan(p_above([1.0])) and math.isnan(p_equivalent([1.0], 2))


def test_holm_published_example() -> None:
    # Holm (1979) by hand: 0.01 * 4, 0.02 * 3 = 0.06 raised by order to 0.06, 0.03 * 2, 0.04.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.01, math.nan, 0.03]) == pytest.approx([0.02, math.nan, 0.03], nan_ok=True)


def test_sign_flips_of_a_published_example() -> None:
    # Fisher (1935) on Darwin's maize: 863 of the 2^15 sign patterns reach the sum in one
    # direction, so p = 2 * 863 / 32768 = 0.05267.
    darwin = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert sign_flip_test(darwin) == pytest.approx(0.05267, abs=1e-5)
    assert sign_flip_test([1, 2, 3, 4, 5]) == pytest.approx(2 / 2**5)  # never below for five
    assert math.isnan(sign_flip_test([1.0]))


def test_power_as_reviewed() -> None:
    # At 80%: 11.5 standard deviations with two, 1.7 with five, 1.2 with eight replicates.
    found = [detectable_effect(n) for n in (2, 5, 8)]
    assert found == pytest.approx([11.5, 1.7, 1.2], rel=0.05)
    assert required_replicates(1.2) == 8 and required_replicates(5.0) <= 4
    rng = np.random.default_rng(0)
    studies = rng.normal(found[1], 1, size=(2000, 5))
    detected = scipy.stats.ttest_1samp(studies, 0, axis=1).pvalue < 0.05
    assert detected.mean() == pytest.approx(0.8, abs=0.03)


def test_jackknife_of_a_mean_and_of_a_variance() -> None:
    left_out = [np.delete(VALUES, i).mean() for i in range(5)]
    assert jackknife_values(VALUES.mean(), left_out).to_numpy() == pytest.approx(VALUES)
    # The jackknife of the plug-in variance is unbiased: its mean is the n - 1 variance.
    plug_in = [np.delete(VALUES, i).var() for i in range(5)]
    assert jackknife_values(VALUES.var(), plug_in).mean() == pytest.approx(VALUES.var(ddof=1))
    assert jackknife_values(1.0, {0: 1.0, 1: math.nan}).isna().all()


def test_clusters_as_in_a_robust_regression() -> None:
    rng = np.random.default_rng(1)
    seeds = np.repeat(np.arange(6), 4)
    frame = pd.DataFrame({"seed": seeds, "value": rng.normal(size=6)[seeds] + rng.normal(size=24)})
    fit = sm.OLS(frame["value"], np.ones(24)).fit(
        cov_type="cluster", cov_kwds={"groups": seeds, "df_correction": True}, use_t=True
    )
    found = clustered(frame, "value")
    assert found.mean == pytest.approx(fit.params.iloc[0])
    assert found.sd / math.sqrt(found.n) == pytest.approx(fit.bse.iloc[0])
    low, high = fit.conf_int().iloc[0]
    assert (found.low, found.high) == pytest.approx((low, high))


def test_bootstrap_of_many_values_is_nearly_the_t_interval() -> None:
    values = np.random.default_rng(0).normal(size=400)
    found = summarise(values)
    assert bootstrap_interval(values) == pytest.approx((found.low, found.high), abs=0.02)
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval([2.0, 2.0]) == (2.0, 2.0)


def test_reliability() -> None:
    # Spearman (1904): 0.38 observed, reliabilities 0.58 and 0.25, corrected to 1.0.
    assert disattenuated(0.38, 0.58, 0.25) == pytest.approx(0.998, abs=1e-3)
    assert math.isnan(disattenuated(0.3, -0.1, 0.5))
    assert runs_for_reliability(0.5) == pytest.approx(9) and runs_for_reliability(0.95) == 1
    rng = np.random.default_rng(0)
    truth = rng.normal(size=20_000)
    runs = truth + rng.normal(size=(18, 20_000))  # a reliability of 1/2
    means = runs[:9].mean(axis=0), runs[9:].mean(axis=0)
    assert np.corrcoef(*means)[0, 1] == pytest.approx(0.9, abs=0.01)


def test_error_of_an_accuracy() -> None:
    # As reviewed: 0.7 points at 4,000 images, of an accuracy of 0.7 or so.
    assert 100 * accuracy_error(0.7, 4000) == pytest.approx(0.72, abs=0.01)
