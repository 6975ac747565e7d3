"""Removal of part of a training set (paper, section 4.6 and Table 1).

`loss`, `grad_norm`, ... remove the samples with the largest score. Two controls that the paper
lacks tell what a removal means: `random` removes as many at random, `none` removes nothing.
"""

import numpy as np

from gradval.privacy.plan import removed_count
from gradval.selection import select


def kept_samples(
    removal: str,
    scores: np.ndarray | None,
    labels: np.ndarray,
    *,
    fraction: float,
    scope: str = "global",
    seed: int = 0,
    draw: int = 0,
) -> np.ndarray:
    """Indices of the samples that stay.

    Args:
        removal: `random`, `none`, or the name of the score in `scores`.
        scores: `(N,)`, higher = removed first; ties go by index. `None` for a control.
        labels: `(N,)` class of each sample.
        fraction: share to remove, in (0, 1); `int(N * fraction)` samples are removed.
        scope: `global` over all samples, or `class` for the same share of every class.
        seed, draw: of the random removal.

    Returns:
        Sorted int64 indices, `N - int(N * fraction)` of them, or N for `none`.

    Raises:
        ValueError: a score is missing, or scope or fraction is not one of the above.
    """
    n = len(labels)
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must be in (0, 1), got {fraction}")
    if removal == "none":
        return np.arange(n)
    if removal == "random":
        scores = np.random.default_rng((seed, draw)).random(n)
    if scores is None:
        raise ValueError(f"removal by {removal!r} needs its scores")
    if scope == "global":
        removed = select(scores, removed_count(n, fraction))
    elif scope == "class":
        removed = _remove_per_class(scores, labels, fraction)
    else:
        raise ValueError(f"scope must be global or class, got {scope!r}")
    return np.setdiff1d(np.arange(n), removed)


def _remove_per_class(scores: np.ndarray, labels: np.ndarray, fraction: float) -> np.ndarray:
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    counts = _shares([len(m) for m in members], fraction)
    chosen = [m[select(scores[m], k)] for m, k in zip(members, counts, strict=True) if k]
    return np.concatenate(chosen)


def _shares(sizes: list[int], fraction: float) -> list[int]:
    """Whole numbers close to `size * fraction` whose sum is that of the global removal."""
    exact = np.array(sizes) * fraction
    counts = np.floor(exact).astype(int)
    missing = removed_count(sum(sizes), fraction) - counts.sum()
    # Largest remainders first; a stable sort breaks ties by class.
    counts[np.argsort(counts - exact, kind="stable")[:missing]] += 1
    return [int(count) for count in counts]
