"""The paper's variance query of VoG: its sensitivities by worst-case neighbours, and its noise."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradval.data.images import NormalisedImages
from gradval.federation.clipped_vog import clipped_vog, printed_vog
from gradval.federation.variance_query import VarianceQuery
from gradval.models.architectures import build_model
from gradval.scores.vog import vog_scores

counts = st.integers(2, 9)


def vog_of(values, bound=0.5):
    """Of one sample of one pixel."""
    return float(printed_vog(torch.tensor(values, dtype=torch.float64).view(-1, 1, 1, 1, 1)))


@given(counts, st.data())
def test_no_neighbours_are_further_apart_than_the_sensitivities(count, data):
    query = VarianceQuery(0.5, count, 1.0)
    # The extremes of a convex function are at the corners.
    corner = st.lists(st.sampled_from([-0.5, 0.5]), min_size=count, max_size=count)
    values, other = data.draw(corner), data.draw(corner)
    changed = [other[0], *values[1:]]
    assert abs(vog_of(changed) - vog_of(values)) <= query.gradient_sensitivity * (1 + 1e-9)
    assert vog_of(values) <= query.record_sensitivity * (1 + 1e-9)


@pytest.mark.parametrize("count", range(2, 8))
def test_the_sensitivities_are_reached(count):
    query, half = VarianceQuery(0.5, count, 1.0), count // 2
    worst = [0.5] * half + [-0.5] * (count - half)
    assert vog_of(worst) == pytest.approx(query.record_sensitivity)
    same, moved = [-0.5] * count, [0.5] + [-0.5] * (count - 1)
    assert vog_of(moved) - vog_of(same) == pytest.approx(query.gradient_sensitivity)


def test_a_query_for_one_gradient_costs_the_sample_more():
    assert VarianceQuery(0.5, 5, 2.0).record_epsilon == pytest.approx(3.0)
    assert VarianceQuery(0.5, 2, 2.0).record_epsilon == pytest.approx(2.0)
    with pytest.raises(ValueError, match="at least 2 checkpoints"):
        VarianceQuery(0.5, 1, 1.0)


def test_the_noise_is_that_of_one_gradient():
    query = VarianceQuery(0.5, 5, 2.0)
    drawn = query.draw(np.full(8_000, 0.1)) - 0.1
    scale = query.gradient_sensitivity / 2.0
    assert np.abs(drawn).mean() == pytest.approx(scale, rel=0.05)
    # An attacker who tells the largest from the least value of a record finds its epsilon, no more.
    low, high = query.draw(np.zeros(8_000)), query.draw(np.full(8_000, query.record_sensitivity))
    cut = query.record_sensitivity
    measured = np.log((high > cut).mean() / (low > cut).mean())
    assert measured == pytest.approx(query.record_epsilon, abs=0.25)


def test_clipped_vog_is_vog_where_nothing_is_clipped():
    models = [
        build_model("cnn", channels=1, classes=4, image_size=8, width=8, groups=4, seed=seed)
        for seed in range(3)
    ]
    rng = np.random.default_rng(0)
    images = NormalisedImages(rng.integers(0, 256, (10, 1, 8, 8), dtype=np.uint8), (0.5,), (0.25,))
    labels = torch.from_numpy(rng.integers(0, 4, 10))
    free = clipped_vog(models, images, labels, 1e6, batch_size=4)
    assert torch.allclose(free, vog_scores(models, images, labels), rtol=1e-5)
    tight = clipped_vog(models, images, labels, 1e-3)
    assert (tight <= VarianceQuery(1e-3, 3, 1.0).record_sensitivity).all()
    assert (tight < free).all()
