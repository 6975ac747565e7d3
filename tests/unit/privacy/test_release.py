"""Released scores: clipping, the noise's distribution, and the epsilon that both give."""

import math

import numpy as np
import pytest
from scipy import stats

from gradval.privacy.release import laplace_mechanism, release, release_event

BOUNDS = (1.0, 5.0)
DRAWS = 20_000
# OpenDP's noise has no seed: limits so wide that a right mechanism passes but once in a million.
SURE = 5.5
UNLIKELY = 1e-6


@pytest.fixture(scope="module", params=[0.5, 2.0])
def neighbours(request):
    """Epsilon, and many releases of one score far below and of one far above the bounds."""
    epsilon = request.param
    return epsilon, *(release(np.full(DRAWS, x), BOUNDS, epsilon) for x in (-50.0, 1e6))


def test_noise_is_laplace_of_the_stated_scale(neighbours):
    epsilon, low, high = neighbours
    scale = (BOUNDS[1] - BOUNDS[0]) / epsilon
    for noise in (low - BOUNDS[0], high - BOUNDS[1]):
        assert stats.kstest(noise, stats.laplace(scale=scale).cdf).pvalue > UNLIKELY
        # The test sees a scale that is wrong by a fifth.
        assert stats.kstest(noise, stats.laplace(scale=1.2 * scale).cdf).pvalue < UNLIKELY


def test_scores_are_clipped_before_the_noise():
    # With hardly any noise what is left is the clipped score.
    scores = [-math.inf, -7.0, 1.0, 2.5, 5.0, 1e9, math.inf]
    released = release(scores, BOUNDS, 1e7)
    assert released == pytest.approx([1, 1, 1, 2.5, 5, 5, 5], abs=1e-4)


def log_ratios(a, b):
    """Logarithms of the ratios of the frequencies of tails under a and b, with their errors."""
    found = []
    for cut in np.quantile(b, np.linspace(0.01, 0.99, 30)):
        for tail in (lambda x, cut=cut: x <= cut, lambda x, cut=cut: x > cut):
            m, n = (int(tail(x).sum()) for x in (a, b))
            if min(m, n) > 100:
                found.append((abs(math.log(m / n)), math.sqrt(1 / m + 1 / n)))
    return found


def test_neighbouring_scores_are_told_apart_by_epsilon_and_no_more(neighbours):
    epsilon, low, high = neighbours
    ratios = log_ratios(low, high)
    assert all(ratio - SURE * error <= epsilon for ratio, error in ratios)
    assert max(ratio for ratio, _ in ratios) > 0.8 * epsilon


def test_without_clipping_neighbours_would_be_told_apart():
    scale = (BOUNDS[1] - BOUNDS[0]) / 0.5
    rng = np.random.default_rng(0)
    a, b = (value + rng.laplace(0, scale, DRAWS) for value in (-20.0, 20.0))
    assert any(ratio - SURE * error > 0.5 for ratio, error in log_ratios(a, b))


@pytest.mark.parametrize("bounds", [(0.0, 3.0), (0.0, 0.1), (-7.0, 1e6), (0.3, 0.7)])
@pytest.mark.parametrize("epsilon", [0.1, 0.3, 1.0, 2.0])
def test_opendp_certifies_the_epsilon(bounds, epsilon):
    certified = laplace_mechanism(3, bounds, epsilon).map(bounds[1] - bounds[0])
    assert epsilon * (1 - 1e-9) <= certified <= epsilon


def test_two_releases_have_independent_noise():
    scores = np.linspace(*BOUNDS, 100)
    first, second = (release(scores, BOUNDS, 1.0) for _ in range(2))
    assert len(np.unique(first - scores)) == 100 and not np.any(first == second)


def test_an_event_states_the_release():
    event = release_event("vog", BOUNDS, 0.5, 100)
    assert event.noise_multiplier == 2 and event.bounds == (1, 5) and event.score == "vog"
    assert event.phase == "release of vog" and event.samples == 100 and event.steps == 1
    with pytest.raises(ValueError, match=r"release of vog: \$\.noise_multiplier: must be"):
        release_event("vog", BOUNDS, 1000.0, 100)


@pytest.mark.parametrize(
    ("scores", "bounds", "epsilon", "message"),
    [
        ([1.0, math.nan], BOUNDS, 1.0, "score of sample 1 is NaN"),
        ([[1.0]], BOUNDS, 1.0, r"vector \(N,\), got shape \(1, 1\)"),
        ([1.0], (2.0, 2.0), 1.0, r"low < high, got \[2.0, 2.0\]"),
        ([1.0], (0.0, math.inf), 1.0, "two numbers"),
        ([1.0], BOUNDS, 0.0, "positive number, got 0.0"),
        ([1.0], BOUNDS, math.inf, "positive number, got inf"),
    ],
)
def test_bad_arguments_are_named(scores, bounds, epsilon, message):
    with pytest.raises(ValueError, match=message):
        release(scores, bounds, epsilon)
