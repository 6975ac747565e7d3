"""The bound for any mechanism: published numbers, closed forms, and coverage."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradval.audit.f_dp import guess
from gradval.audit.lower_bound import epsilon_lower_bound, p_value

CONFIDENCE = 0.95


def right_guesses(scores, included, guesses):
    """How many are right if half of them are in, for the largest scores, and half out."""
    return guess(scores, included, guesses).of("both")[1]


@pytest.mark.parametrize(
    ("canaries", "guesses", "correct", "delta", "printed"),
    # Appendix D (page 46) and section 7 (Figure 11); the latter is cut off, not rounded.
    [(1000, 100, 75, 1e-4, 0.673), (100_000, 1510, 1439, 1e-5, 2.675)],
)
def test_bounds_that_the_paper_prints(canaries, guesses, correct, delta, printed):
    bound = epsilon_lower_bound(correct, guesses, canaries, delta, CONFIDENCE)
    assert bound == pytest.approx(printed, abs=1e-3)


def test_all_guesses_right_has_a_closed_form_without_delta():
    # The bound solves q^r = 1 - confidence.
    q = 0.05 ** (1 / 400)
    assert epsilon_lower_bound(400, 400, 400, 0.0, CONFIDENCE) == pytest.approx(
        math.log(q / (1 - q)), abs=2e-6
    )


def test_the_delta_term_is_the_worst_shift_of_the_number_of_right_guesses():
    canaries, guesses, correct, epsilon, delta = 300, 40, 33, 0.8, 1e-4
    accuracy = math.exp(epsilon) / (1 + math.exp(epsilon))
    pmf = [
        math.comb(guesses, k) * accuracy**k * (1 - accuracy) ** (guesses - k)
        for k in range(guesses + 1)
    ]
    pure = sum(pmf[correct:])
    # With probability 2 m delta / i everybody gains i right guesses, for the best i.
    gain = max(2 * canaries * delta / i * sum(pmf[correct - i : correct]) for i in range(1, 34))
    assert p_value(correct, guesses, canaries, epsilon, 0.0) == pytest.approx(pure, rel=1e-9)
    assert p_value(correct, guesses, canaries, epsilon, delta) == pytest.approx(
        pure + gain, rel=1e-9
    )
    # The term is not negligible, and grows with delta and with the canaries not guessed at.
    assert gain > pure / 10
    bounds = [
        epsilon_lower_bound(correct, guesses, m, d, CONFIDENCE)
        for m, d in ((300, 0.0), (300, 1e-4), (300, 1e-3), (1000, 1e-3))
    ]
    assert bounds == sorted(bounds, reverse=True) and len(set(bounds)) == 4


@settings(max_examples=40)
@given(st.integers(1, 200), st.data())
def test_more_right_guesses_never_lower_the_bound(guesses, data):
    correct = data.draw(st.integers(0, guesses - 1))
    canaries, delta = guesses + data.draw(st.integers(0, 100)), data.draw(st.floats(0, 1e-3))
    few, more = (
        epsilon_lower_bound(v, guesses, canaries, delta, CONFIDENCE) for v in (correct, correct + 1)
    )
    assert 0 <= few <= more
    assert few <= epsilon_lower_bound(correct, guesses, canaries, delta, 0.9)
    if few > 0:  # what is refuted is refuted at the stated confidence
        assert p_value(correct, guesses, canaries, few, delta) < 0.05 + 1e-9


def randomised_response(epsilon, canaries, rng):
    """Scores of an epsilon-DP release of each coin: the coin, flipped as often as allowed."""
    included = rng.random(canaries) < 0.5
    lies = rng.random(canaries) < 1 / (1 + math.exp(epsilon))
    return included, (included ^ lies).astype(float)


def test_randomised_response_is_bounded_by_its_epsilon_as_often_as_stated():
    rng, runs, canaries, guesses = np.random.default_rng(0), 2000, 400, 100
    exceeded, bounds = 0, {}
    for _ in range(runs):
        included, released = randomised_response(1.0, canaries, rng)
        # Ties among equal answers are broken by position, which is independent of the coins.
        correct = right_guesses(released, included, guesses)
        if correct not in bounds:
            bounds[correct] = epsilon_lower_bound(correct, guesses, canaries, 0.0, CONFIDENCE)
        exceeded += bounds[correct] > 1.0
    # At most 5% in expectation; beyond 6.5% would be three standard deviations.
    assert 0.01 < exceeded / runs < 0.065


def test_many_guesses_come_close_to_randomised_response():
    included, released = randomised_response(1.0, 100_000, np.random.default_rng(1))
    correct = right_guesses(released, included, 90_000)
    assert 0.95 < epsilon_lower_bound(correct, 90_000, 100_000, 0.0, CONFIDENCE) < 1.0


def test_chance_refutes_nothing():
    assert epsilon_lower_bound(50, 100, 1000, 1e-5, CONFIDENCE) == 0.0
    assert p_value(0, 100, 1000, 0.0, 1e-5) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: p_value(5, 4, 9, 1.0, 0.0), "correct <= guesses <= canaries"),
        (lambda: p_value(3, 4, 9, -1.0, 0.0), "epsilon must be at least 0"),
        (lambda: epsilon_lower_bound(3, 4, 9, 0.0, 1.0), "confidence must be in"),
    ],
)
def test_arguments_out_of_range_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
