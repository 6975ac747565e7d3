"""The f-DP bound: published values, closed forms, and how often it errs."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from gradval.audit.f_dp import Guesses, bound_epsilon, guess, refutes
from gradval.audit.trade_off import Mechanism, trade_off
from gradval.privacy.accountants import Laplace, Pure, SampledGaussian, calibrate_noise

LOSSES = np.linspace(0, 12, 1201)
DELTA = 1e-5


def gaussian_delta(mu, losses):
    """Delta at each epsilon of the Gaussian mechanism with noise multiplier 1 / mu, either way."""
    return norm.cdf(mu / 2 - losses / mu) - np.exp(losses) * norm.cdf(-mu / 2 - losses / mu)


def gaussian_curve(mu):
    deltas = gaussian_delta(mu, LOSSES)
    return trade_off(deltas, deltas, LOSSES, "both")


@pytest.mark.parametrize(
    ("coins", "guesses", "right", "alpha", "delta", "theirs"),
    [
        # jax_privacy 2.0.0, `auditing._epsilon_one_run_fdp(0, m, n_guess, n_correct, alpha, delta)`
        (1000, 100, 80, 0.05, 1e-5, 1.4022),
        (10_000, 600, 450, 0.05, 1e-5, 1.2314),
        (10_000, 500, 480, 0.05, 1e-6, 4.2418),
        (30_000, 1800, 1010, 0.03, 1e-5, 0.1768),
        (2000, 2000, 1700, 0.05, 1e-5, 2.9569),
    ],
)
def test_bounds_of_jax_privacy(coins, guesses, right, alpha, delta, theirs):
    mu = brentq(lambda mu: gaussian_delta(mu, theirs) - delta, 0.01, 3)
    # Lines are above the curve, by little: what it refutes at somewhat less noise they refute too.
    assert refutes(gaussian_curve(0.99 * mu), right, guesses, coins, alpha)
    assert not refutes(gaussian_curve(1.0001 * mu), right, guesses, coins, alpha)


@pytest.mark.parametrize("noise", [0.7, 2.0])
def test_the_curve_of_the_gaussian_mechanism_is_its_closed_form(noise):
    curves = {
        side: Mechanism((SampledGaussian(1.0, noise, 1),)).trade_off(side)
        for side in ("both", "in", "out")
    }
    for right in (0.01, 0.1, 0.3, 0.45):
        exact = norm.cdf(norm.ppf(right) - 1 / noise)
        assert 0.98 * exact < curves["both"].least_wrong(right) <= exact + 1e-9
        one_side = norm.cdf(norm.ppf(2 * right) - 1 / noise) / 2
        for side in ("in", "out"):
            assert 0.98 * one_side < curves[side].least_wrong(right) <= one_side + 1e-9


def test_composed_steps_are_one_with_more_signal():
    many = Mechanism((SampledGaussian(1.0, 6.0, 4), SampledGaussian(1.0, 6.0, 5)))
    one = Mechanism((SampledGaussian(1.0, 2.0, 1),))
    for right in (0.05, 0.2, 0.4):
        assert many.trade_off("both").least_wrong(right) == pytest.approx(
            one.trade_off("both").least_wrong(right), rel=0.01
        )


def test_rare_sampling_lets_nobody_be_sure_that_a_sample_is_absent():
    mechanism = Mechanism((SampledGaussian(0.5, 0.2, 1),))
    # All who were drawn are known, half of those who are there; the others look absent.
    assert mechanism.trade_off("in").least_wrong(0.24) < 1e-3
    assert mechanism.trade_off("out").least_wrong(0.49) > 0.24


@pytest.mark.parametrize("event", [Pure(1.0), Laplace(1.0)])
def test_pure_mechanisms_allow_odds_of_e(event):
    curve = Mechanism((event,)).trade_off("both")
    assert curve.least_wrong(0.1) == pytest.approx(0.1 / np.e, rel=0.03)


@pytest.mark.parametrize(("delta", "refuted"), [(0.06, False), (0.04, True)])
def test_what_happens_rarely_enough_refutes_nothing(delta, refuted):
    """With probability delta everything is published: then every guess is right."""
    constant = np.full_like(LOSSES, delta)
    curve = trade_off(constant, constant, LOSSES, "both")
    assert refutes(curve, 1000, 1000, 1000, 0.05) is refuted


def gaussian_scores(noise, coins, rng):
    there = rng.random(coins) < 0.5
    return there + noise * rng.standard_normal(coins), there


def test_the_true_mechanism_is_hardly_ever_refuted():
    """Planted: the Gaussian mechanism itself, in 400 runs; 5% would be 20."""
    rng, event = np.random.default_rng(0), SampledGaussian(1.0, 1.5, 1)
    curve = Mechanism((event,)).trade_off("both")
    wrong = 0
    for _ in range(400):
        guesses = guess(*gaussian_scores(1.5, 400, rng), 60)
        made, right = guesses.of("both")
        wrong += refutes(curve, right, made, guesses.coins, 0.05)
    assert wrong <= 20


@pytest.mark.parametrize("target", [1.0, 4.0])
def test_half_of_the_epsilon_of_the_gaussian_mechanism_is_found(target):
    noise = calibrate_noise(lambda x: [SampledGaussian(1.0, x, 1)], target, DELTA)
    scores, there = gaussian_scores(noise, 50_000, np.random.default_rng(1))
    guesses = guess(scores, there, 2000)
    bound = bound_epsilon(guesses, [SampledGaussian(1.0, noise, 1)], DELTA, 0.95)
    assert target / 2 < bound.epsilon < target and bound.refutable and not bound.refuted
    # Who claims three times the noise is found out.
    weaker = bound_epsilon(guesses, [SampledGaussian(1.0, 3 * noise, 1)], DELTA, 0.95)
    assert weaker.refuted


def test_more_right_guesses_never_lower_the_bound():
    bounds = [
        bound_epsilon(Guesses(1000, 50, right, right), [Pure(1.0)], 1e-9, 0.95).epsilon
        for right in (25, 30, 40, 50)
    ]
    assert bounds == sorted(bounds) and bounds[0] == 0.0 < bounds[-1]


def test_guesses_are_the_extremes():
    scores = np.array([0.3, -2.0, 5.0, 0.1, -0.4, 1.0])
    there = np.array([True, False, True, False, True, False])
    guesses = guess(scores, there, 4)
    assert (guesses.right_in, guesses.right_out) == (1, 1)
    assert guesses.of("both") == (4, 2) and guesses.of("in") == (2, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: guess(np.zeros(4), np.ones(4, bool), 3), "even and in 2..4, got 3"),
        (lambda: guess(np.zeros(4), np.ones(4, bool), 6), "even and in 2..4, got 6"),
        (lambda: guess(np.array([0.0, np.nan]), np.ones(2, bool), 2), "not a number"),
        (lambda: refutes(gaussian_curve(1.0), 5, 4, 9, 0.05), "right <= guesses <= coins"),
        (lambda: bound_epsilon(Guesses(9, 2, 1, 1), [Pure(1.0)], 0.1, 1.0), "confidence must be"),
        (lambda: bound_epsilon(Guesses(9, 2, 1, 1), [], 0.1, 0.9), "no event with steps"),
    ],
)
def test_arguments_out_of_range_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
