"""Shapley values by their axioms and by all orders, rewards by what they promise."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gradval.federation.reward import (
    atypicality,
    auroc,
    kendall,
    laplace_bound,
    ranking,
    reward_at_stake,
    split_reward,
)
from gradval.federation.value import (
    Utility,
    coalition_name,
    coalitions,
    leave_one_out,
    shapley_values,
    values_table,
)


def random_game(sites, seed=0):
    rng = np.random.default_rng(seed)
    return {c: float(rng.normal()) for c in coalitions(range(sites))}


def by_all_orders(game, sites):
    values = np.zeros(sites)
    for order in permutations(range(sites)):
        for place, site in enumerate(order):
            before = tuple(sorted(order[:place]))
            values[site] += game[tuple(sorted((*before, site)))] - game[before]
    return values / math.factorial(sites)


@pytest.mark.parametrize("sites", [1, 2, 3, 5])
def test_shapley_values_are_means_over_all_orders(sites):
    game = random_game(sites)
    values = shapley_values(game)
    assert values == pytest.approx(by_all_orders(game, sites))
    assert values.sum() == pytest.approx(game[tuple(range(sites))] - game[()])


def test_the_gloves_and_a_null_player():
    # One left glove, two right ones, and somebody without any.
    game = {c: float(0 in c and (1 in c or 2 in c)) for c in coalitions(range(4))}
    assert shapley_values(game) == pytest.approx([4 / 6, 1 / 6, 1 / 6, 0])
    assert leave_one_out(game) == pytest.approx([1, 0, 0, 0])


def test_values_of_both_utilities():
    utilities = {c: Utility(0.1 + 0.2 * len(c), 2.0 - 0.5 * len(c)) for c in coalitions(range(3))}
    table = values_table(utilities)
    assert table["shapley_accuracy"].tolist() == pytest.approx([0.2] * 3)
    assert table["leave_out_loss"].tolist() == pytest.approx([0.5] * 3)
    assert table["own_loss"].tolist() == [-1.5] * 3


def test_a_missing_coalition_and_too_many_sites_are_refused():
    game = random_game(3)
    del game[(0, 2)]
    with pytest.raises(KeyError):
        shapley_values(game)
    with pytest.raises(ValueError, match="up to 6 sites, not 7"):
        coalitions(range(7))
    assert len(coalitions(range(6))) == 64 and coalition_name(()) == "nobody"


amounts = st.lists(st.floats(-100, 100), min_size=1, max_size=6)


@given(amounts, st.floats(0, 1000), st.floats(-10, 10))
def test_a_reward_is_split_to_the_last_penny(values, total, floor):
    shares = split_reward(values, total=total, floor=floor)
    assert (shares >= 0).all() and shares.sum() == pytest.approx(total)
    for value, share in zip(values, shares, strict=True):
        assert share == 0 or value > floor or max(values) <= floor


def test_a_reward_is_proportional_to_what_is_above_the_floor():
    assert split_reward([1.0, 3.0, 5.0], total=60, floor=1.0).tolist() == [0, 20, 40]
    assert split_reward([-1.0, -2.0], total=10).tolist() == [5, 5]


@given(
    st.lists(st.floats(0, 10), min_size=2, max_size=6),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_noise_moves_no_reward_further_than_the_bound(values, error, seed):
    noise = np.random.default_rng(seed).choice([-1.0, 1.0], len(values)) * error
    moved = np.abs(split_reward(np.array(values) + noise) - split_reward(values))
    assert (moved <= reward_at_stake(values, error) + 1e-9).all()


def test_laplace_draws_stay_below_their_bound_as_often_as_it_says():
    bound = laplace_bound(2.0, 5, 0.9)
    draws = np.abs(np.random.default_rng(0).laplace(0, 2.0, (20_000, 5))).max(axis=1)
    assert 0.9 - 0.01 <= (draws <= bound).mean() <= 0.93


def test_ranks():
    assert ranking([0.1, 0.9, 0.9, 0.5]).tolist() == [4, 1, 2, 3]


def test_the_site_that_differs_is_the_most_atypical():
    histograms = np.array([[50, 30, 20], [48, 32, 20], [20, 30, 50], [52, 28, 20]])
    distances = atypicality(histograms)
    assert distances.argmax() == 2
    # By hand: 0.2 against 0.5, and 0.5 against 0.8.
    assert distances[2] == pytest.approx(0.3 + 0.3)
    assert atypicality([[1.0, 1.0], [10.0, 10.0]]).tolist() == [0, 0]
    # The size does not matter; how far the mass is moved does.
    near = atypicality([[9, 0, 0, 0], [0, 9, 0, 0], [9, 0, 0, 0]])[1]
    far = atypicality([[9, 0, 0, 0], [0, 0, 0, 9], [9, 0, 0, 0]])[1]
    assert far == pytest.approx(3 * near)
    assert np.isfinite(atypicality([[-5.0, -1.0], [3.0, 1.0]])).all()


def test_auroc_and_kendall_are_those_of_others():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 4, (2, 6)).astype(float)
        expected = stats.kendalltau(a, b).statistic
        assert kendall(a, b) == pytest.approx(expected, nan_ok=True)
        positive = rng.random(6) < 0.5
        if 0 < positive.sum() < 6:
            u = stats.mannwhitneyu(a[positive], a[~positive]).statistic
            assert auroc(a, positive) == pytest.approx(u / (positive.sum() * (~positive).sum()))
    assert math.isnan(auroc([1.0], [True])) and math.isnan(kendall([1, 1], [1, 2]))
