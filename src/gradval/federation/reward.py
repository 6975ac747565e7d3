"""Ranking sites, finding atypical ones, and splitting a reward, all from what they published."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

Numbers = NDArray[np.float64]


def split_reward(values: ArrayLike, *, total: float = 1.0, floor: float = 0.0) -> Numbers:
    """Split a reward in proportion to published values above a floor.

    Site i gets `total * max(v_i - floor, 0) / sum_j max(v_j - floor, 0)`; if nobody is above the
    floor, all get the same. The shares add up to the total, and none is negative.

    Args:
        values: `(n,)`, n > 0, as published.
        total: what is split, >= 0.
        floor: public, as the lower bound of the score.

    Raises:
        ValueError: a value is not finite, or the total is negative.
    """
    above = np.maximum(np.asarray(values, dtype=np.float64) - floor, 0.0)
    if not np.isfinite(above).all() or not total >= 0:
        raise ValueError("values must be finite, and the total not negative")
    if above.sum() == 0:
        return np.full(len(above), total / len(above))
    # First the largest becomes 1: a share of tiny values could be lost to rounding.
    scaled = above / above.max()
    shares: Numbers = total * scaled / scaled.sum()
    return shares


def reward_at_stake(
    values: ArrayLike, error: float, *, total: float = 1.0, floor: float = 0.0
) -> Numbers:
    """By how much noise can change what each site is paid, at most.

    If no published value is further than `error` from the true one, and S is the sum of the true
    excesses a_i over the floor, the reward of site i differs by at most
    `total * error * (1 + n a_i / S) / (S - n error)`, and never by more than the total.

    Args:
        values: `(n,)`, true ones.
        error: bound on the noise, >= 0 (`laplace_bound`).
        total, floor: as in `split_reward`.
    """
    above = np.maximum(np.asarray(values, dtype=np.float64) - floor, 0.0)
    count, whole = len(above), above.sum()
    left = whole - count * error
    if left <= 0:
        return np.full(count, total)
    moved: Numbers = np.minimum(total * error * (1 + count * above / whole) / left, total)
    return moved


def laplace_bound(scale: float, count: int, confidence: float = 0.95) -> float:
    """What `count` Laplace draws of that scale all stay below, with that probability at least."""
    return float(scale * np.log(count / (1 - confidence)))


def ranking(values: ArrayLike) -> NDArray[np.int64]:
    """Ranks from 1 for the highest value; equal values in the order of the sites."""
    order = np.argsort(-np.asarray(values, dtype=np.float64), kind="stable")
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(1, len(order) + 1)
    return ranks


def atypicality(histograms: ArrayLike) -> Numbers:
    """How far each site's published distribution is from that of the others.

    The area between two distribution functions in units of bins (Wasserstein distance), the
    others' being the mean of their shares. Negative counts, which noise makes, count as none.

    Args:
        histograms: `(sites, bins)`, at least two sites, of the same public bins.
    """
    counts = np.maximum(np.asarray(histograms, dtype=np.float64), 0.0)
    empty = counts.sum(axis=1) == 0
    counts[empty] = 1.0  # all noise: as good as uniform
    shares = counts / counts.sum(axis=1, keepdims=True)
    others = (shares.sum(axis=0) - shares) / (len(shares) - 1)
    distances: Numbers = np.abs(np.cumsum(shares - others, axis=1))[:, :-1].sum(axis=1)
    return distances


def auroc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Probability that a positive scores higher, ties counting half; NaN without any pair."""
    of_interest = np.asarray(positive, dtype=bool)
    count, others = int(of_interest.sum()), int((~of_interest).sum())
    if count == 0 or others == 0:
        return float("nan")
    ranks = rankdata(np.asarray(scores, dtype=np.float64))
    above = ranks[of_interest].sum() - count * (count + 1) / 2
    return float(above / (count * others))


def kendall(a: ArrayLike, b: ArrayLike) -> float:
    """Kendall's tau-b of two values a site; NaN if one of them is constant."""
    x, y = (np.asarray(v, dtype=np.float64) for v in (a, b))
    upper = np.triu_indices(len(x), 1)
    dx, dy = (np.sign(v[:, None] - v[None])[upper] for v in (x, y))
    norm = np.sqrt((dx**2).sum() * (dy**2).sum())
    return float((dx * dy).sum() / norm) if norm > 0 else float("nan")
