"""Which samples a score selects, and to which classes they belong."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Indices = NDArray[np.int64]
Scores = NDArray[np.float64]


def select(
    scores: ArrayLike, k: int, largest: bool = True, candidates: ArrayLike | None = None
) -> Indices:
    """Select the k samples with the largest (or smallest) scores.

    Args:
        scores: (N,) real scores; infinities are ordered like numbers.
        k: how many to select, 1 <= k <= the number of samples in ``candidates``.
        largest: select the largest scores; if False the smallest.
        candidates: the samples to choose among, as a (N,) boolean mask or as indices; all if None.

    Returns:
        (k,) int64 indices into ``scores``, the most extreme score first; equal scores stand in
        the order of their indices.

    Raises:
        ValueError: ``scores`` is not a vector or holds NaN, ``candidates`` are not valid, or k is
            out of range.
    """
    everything = as_scores(scores)
    members = candidate_indices(candidates, len(everything))
    values = everything[members]
    if np.isnan(values).any():
        raise ValueError(f"{np.isnan(values).sum()} scores are NaN; a selection needs numbers")
    if not 0 < k <= len(members):
        raise ValueError(f"k must lie between 1 and the {len(members)} samples there are, got {k}")
    keys = -values if largest else values
    # Sorting only what can be selected (with all that is equal to the last) is several times
    # faster, and chance levels need thousands of selections.
    extremes = np.flatnonzero(keys <= np.partition(keys, k - 1)[k - 1])
    order = np.argsort(keys[extremes], kind="stable")
    return members[extremes[order[:k]]]


def overlap(a: ArrayLike, b: ArrayLike) -> int:
    """Count the samples that two selections share.

    Args:
        a, b: integer sample indices, in any order, each at most once.

    Returns:
        The number of common indices, between 0 and the length of the shorter selection.

    Raises:
        ValueError: a selection is not a vector of integers or names a sample twice.
    """
    return len(np.intersect1d(as_selection(a), as_selection(b), assume_unique=True))


def class_counts(selection: ArrayLike, labels: ArrayLike, n_classes: int) -> Indices:
    """Count the selected samples of each class (as in Figure 10).

    Args:
        selection: integer sample indices, each at most once.
        labels: (N,) integer labels of the whole data set, in [0, n_classes).
        n_classes: the number of classes.

    Returns:
        (n_classes,) int64 counts; their sum is the size of the selection.

    Raises:
        ValueError: the selection is not valid for ``labels``, or a label is outside the range.
    """
    every = np.asarray(labels)
    if every.ndim != 1 or every.dtype.kind not in "iu":
        raise ValueError(f"labels must be a vector of integers, got {every.dtype} {every.shape}")
    chosen = every[candidate_indices(as_selection(selection), len(every))]
    if chosen.min() < 0 or chosen.max() >= n_classes:
        raise ValueError(
            f"labels must lie in [0, {n_classes}), got {chosen.min()} to {chosen.max()}"
        )
    return np.bincount(chosen, minlength=n_classes)


def dominant_class(selection: ArrayLike, labels: ArrayLike) -> int:
    """Return the class with most samples in a selection, the smallest label among equals.

    Args:
        selection: integer sample indices, each at most once.
        labels: (N,) non-negative integer labels of the whole data set.

    Raises:
        ValueError: the selection is not valid for ``labels``, or a label is negative.
    """
    n_classes = int(np.asarray(labels).max()) + 1
    return int(class_counts(selection, labels, n_classes).argmax())


def as_scores(scores: ArrayLike) -> Scores:
    """Convert scores to a float64 vector; ValueError if they are not a vector."""
    vector = np.asarray(scores, dtype=np.float64)
    if vector.ndim != 1:
        raise ValueError(f"scores must be a vector (N,), got shape {vector.shape}")
    return vector


def as_selection(selection: ArrayLike) -> Indices:
    """Convert a selection to int64 indices; ValueError if not integers or if one occurs twice."""
    indices = np.asarray(selection)
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise ValueError(
            f"sample indices must be a vector of integers, got {indices.dtype} {indices.shape}"
        )
    if len(np.unique(indices)) != len(indices):
        raise ValueError("sample indices must differ, one occurs twice")
    return indices.astype(np.int64)


def candidate_indices(candidates: ArrayLike | None, size: int) -> Indices:
    """Convert a boolean mask, indices or None (all) to sorted indices.

    Args:
        candidates: (size,) boolean mask; integer indices in [0, size), each once at most; None.
        size: the number of samples in the data set.

    Returns:
        Sorted int64 indices, at least one.

    Raises:
        ValueError: the mask has another length, an index is out of range or occurs twice, or no
            sample is left.
    """
    if candidates is None:
        return np.arange(size)
    members = np.asarray(candidates)
    if members.dtype == np.bool_:
        if members.shape != (size,):
            raise ValueError(f"the mask must have shape ({size},), got {members.shape}")
        found = np.flatnonzero(members)
    else:
        found = np.sort(as_selection(members))
    if len(found) == 0:
        raise ValueError("there is no sample to choose from: candidates are empty")
    if found[0] < 0 or found[-1] >= size:
        raise ValueError(f"sample indices must lie in [0, {size}), got {found[0]} to {found[-1]}")
    return found
