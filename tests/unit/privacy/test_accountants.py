"""Accounting against known values and closed forms, and noise that meets its target."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from gradval.privacy.accountants import (
    ACCOUNTANTS,
    Laplace,
    SampledGaussian,
    calibrate_noise,
    epsilon,
)


def gaussian_epsilon(noise: float, delta: float) -> float:
    """Epsilon of one Gaussian mechanism of sensitivity 1 (Balle and Wang, 2018, theorem 8)."""

    def excess(value: float) -> float:
        a, b = 1 / (2 * noise), value * noise
        return norm.cdf(a - b) - math.exp(value) * norm.cdf(-a - b) - delta

    return brentq(excess, 1e-6, 100)


@pytest.mark.parametrize("noise", [0.7, 1.0, 3.0])
def test_unsampled_gaussian_agrees_with_the_closed_form(noise):
    # Steps compose like one mechanism with noise / sqrt(steps).
    event = SampledGaussian(1.0, noise * math.sqrt(5), 5)
    assert epsilon([event], 1e-5) == pytest.approx(gaussian_epsilon(noise, 1e-5), rel=2e-3)


def test_published_setting():
    # De et al. (2022) and facebookresearch/tan: sigma 3, 2,500 steps of 4,096 of 50,000.
    event = SampledGaussian(4096 / 50000, 3.0, 2500)
    assert epsilon([event], 1e-5, "pld") == pytest.approx(6.58, abs=0.02)
    assert epsilon([event], 1e-5, "rdp") == pytest.approx(7.10, abs=0.05)
    assert epsilon([event], 1e-5, "prv") == pytest.approx(6.58, abs=0.03)


def test_epsilon_moves_the_right_way():
    base = SampledGaussian(0.1, 1.5, 100)
    value = epsilon([base], 1e-5)
    assert epsilon([SampledGaussian(0.1, 2.0, 100)], 1e-5) < value
    assert epsilon([SampledGaussian(0.2, 1.5, 100)], 1e-5) > value
    assert epsilon([SampledGaussian(0.1, 1.5, 200)], 1e-5) > value
    assert epsilon([base], 1e-3) < value
    assert epsilon([base, base], 1e-5) == pytest.approx(
        epsilon([SampledGaussian(0.1, 1.5, 200)], 1e-5), rel=1e-3
    )
    assert epsilon([], 1e-5) == epsilon([SampledGaussian(0.1, 1.5, 0)], 1e-5) == 0


@pytest.mark.parametrize("pure", [0.25, 1.0, 3.0])
def test_laplace_agrees_with_the_closed_form(pure):
    event, delta = Laplace(1 / pure), 0.01
    # The hockey-stick divergence of Laplace distributions at distance 1.
    exact = pure + 2 * math.log1p(-delta)
    assert epsilon([event], delta, "pld") == pytest.approx(exact, abs=2e-3)
    assert exact <= epsilon([event], delta, "rdp") <= pure * (1 + 1e-9)
    assert epsilon([event], delta, "prv") == pytest.approx(pure)


def test_laplace_and_gaussians_compose_to_less_than_their_sum():
    training, release = SampledGaussian(0.18, 1.6, 40), Laplace(1.0)
    for name in ACCOUNTANTS:
        alone, both = (epsilon(e, 1e-4, name) for e in ([training], [training, release]))
        assert alone + 0.5 < both <= alone + 1 + 1e-9
        # The order of the events does not matter, and two releases cost more than one.
        assert epsilon([release, training], 1e-4, name) == pytest.approx(both)
        assert epsilon([training, Laplace(1.0, 2)], 1e-4, name) > both + 0.5


def test_composition_agrees_with_numerical_integration():
    # One Gaussian and one Laplace: delta = E_p max(0, 1 - exp(epsilon - loss)), on a fine grid.
    noise, pure, target = 1.5, 0.8, 1.5
    x = np.linspace(-14, 15, 200_001)
    gaussian = norm.pdf(x, 1, noise) * (x[1] - x[0])
    loss = (2 * x - 1) / (2 * noise**2)
    y = np.linspace(0, 1, 2001)
    inside = (y[1:] + y[:-1]) / 2
    # Loss of Laplace(scale 1 / pure) at 0 against 1: pure (1 - 2 y) between, +-pure outside.
    losses = np.concatenate([[pure, -pure], pure * (1 - 2 * inside)])
    masses = np.concatenate(
        [[0.5, 0.5 * math.exp(-pure)], 0.5 * pure * np.exp(-pure * inside) * (y[1] - y[0])]
    )
    delta = sum(
        mass * np.sum(gaussian * np.clip(1 - np.exp(target - loss - other), 0, None))
        for other, mass in zip(losses, masses, strict=True)
    )
    events = [SampledGaussian(1.0, noise, 1), Laplace(1 / pure)]
    assert epsilon(events, float(delta)) == pytest.approx(target, rel=2e-3)


@pytest.mark.parametrize("target", [0.5, 1, 4, 8, 20])
def test_calibrated_noise_meets_the_target_and_hardly_more(target):
    def events(noise):
        return [SampledGaussian(0.18, noise, 112)]

    noise = calibrate_noise(events, target, 1e-4)
    assert epsilon(events(noise), 1e-4) <= target
    assert epsilon(events(noise / 1.002), 1e-4) > target


def test_small_losses_need_the_finer_grid_and_get_it():
    # On a grid of 1e-3 these are 1.1521 and 0.0593, and epsilon 0.03 needs three times the noise.
    assert epsilon([SampledGaussian(0.001, 1.0, 30_000)], 1e-7) < 1.1
    assert epsilon([SampledGaussian(256 / 50_000, 20.0, 2000)], 1e-5) < 0.033

    def events(noise):
        return [SampledGaussian(256 / 50_000, noise, 2000)]

    noise = calibrate_noise(events, 0.03, 1e-5)
    assert noise < 25
    assert epsilon(events(noise), 1e-5) <= 0.03 < epsilon(events(noise / 1.002), 1e-5)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="sampling_rate"):
        SampledGaussian(1.5, 1, 1)
    with pytest.raises(ValueError, match="noise_multiplier"):
        SampledGaussian(0.5, 0, 1)
    with pytest.raises(ValueError, match="unknown accountant 'gdp'"):
        epsilon([], 1e-5, "gdp")
    with pytest.raises(ValueError, match="delta"):
        epsilon([], 1.0)


def test_calibrated_noise_between_the_smallest_and_its_neighbour_meets_the_target():
    def events(noise):
        return [SampledGaussian(1.0, noise, 1)]

    # The search halves by factors of 1.5 and would step over 0.1317 to the smallest noise, 0.1.
    least, neighbour = (epsilon(events(noise), 1e-5, "rdp") for noise in (0.1, 1.5**-5))
    target = (least + neighbour) / 2
    noise = calibrate_noise(events, target, 1e-5, "rdp")
    assert 0.1 < noise < 1.5**-5
    assert 0.999 * target < epsilon(events(noise), 1e-5, "rdp") <= target
    assert calibrate_noise(events, 2 * least, 1e-5, "rdp") == pytest.approx(0.1)


def test_noise_falls_as_the_target_rises():
    noises = [
        calibrate_noise(lambda noise: [SampledGaussian(0.18, noise, 168)], target, 1e-4)
        for target in (1, 4, 8)
    ]
    assert all(a > b for a, b in pairwise(noises))
