"""Normalisation within classes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gradval.scores import normalise_per_class

SCORES = np.array([1.0, 5.0, 3.0, 10.0, 30.0, 7.0])
LABELS = np.array([0, 0, 0, 2, 2, 1])


def test_minmax_maps_each_class_onto_the_unit_interval() -> None:
    expected = [0.0, 1.0, 0.5, 0.0, 1.0, 0.0]
    np.testing.assert_array_equal(normalise_per_class(SCORES, LABELS), expected)


def test_zscore_has_mean_zero_and_standard_deviation_one() -> None:
    actual = normalise_per_class(SCORES, LABELS, "zscore")
    root = np.sqrt(1.5)
    np.testing.assert_allclose(actual, [-root, root, 0.0, -1.0, 1.0, 0.0], rtol=1e-15)


@pytest.mark.parametrize("method", ["minmax", "zscore"])
def test_a_constant_class_becomes_zero(method: str) -> None:
    scores = np.array([0.1] * 7 + [2.0, 3.0])
    labels = np.array([1] * 7 + [0, 0])
    assert (normalise_per_class(scores, labels, method)[:7] == 0).all()


@pytest.mark.parametrize("method", ["minmax", "zscore"])
def test_tensors_give_tensors_of_the_same_numbers(method: str) -> None:
    expected = normalise_per_class(SCORES, LABELS, method)
    scores, labels = torch.from_numpy(SCORES), torch.from_numpy(LABELS)
    actual = normalise_per_class(scores, labels, method)
    assert isinstance(actual, torch.Tensor) and isinstance(expected, np.ndarray)
    np.testing.assert_array_equal(actual.numpy(), expected)
    assert normalise_per_class(scores.float(), labels, method).dtype == torch.float32
    assert normalise_per_class(SCORES.astype(np.float32), LABELS, method).dtype == np.float32


def test_no_samples() -> None:
    assert normalise_per_class(np.empty(0), np.empty(0, dtype=int)).shape == (0,)


@given(
    arrays(np.float64, 12, elements=st.floats(-1e6, 1e6)),
    arrays(np.int64, 12, elements=st.integers(0, 3)),
)
def test_minmax_keeps_the_order_within_a_class_and_ignores_scale(
    scores: np.ndarray, labels: np.ndarray
) -> None:
    normalised = normalise_per_class(scores, labels)
    assert normalised.min() >= 0 and normalised.max() <= 1
    for label in set(labels.tolist()):
        members = labels == label
        order = np.argsort(scores[members], kind="stable")
        assert (np.diff(normalised[members][order]) >= 0).all()
    # A common factor, such as the 1 / sigma^2 of PLIS, cancels; a power of two above one leaves no
    # rounding, even where scores are subnormal.
    np.testing.assert_array_equal(normalise_per_class(scores * 4, labels), normalised)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown method 'rank'"):
        normalise_per_class(SCORES, LABELS, "rank")
    with pytest.raises(ValueError, match=r"must both have shape \(N,\), not \(6,\) and \(5,\)"):
        normalise_per_class(SCORES, LABELS[:5])
    with pytest.raises(ValueError, match="score of sample 2 is nan"):
        normalise_per_class(np.where(np.arange(6) == 2, np.nan, SCORES), LABELS)


def test_integer_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="scores must be floating, not int64"):
        normalise_per_class(np.array([1, 2, 3]), np.array([0, 0, 1]))
