"""Scores released under differential privacy.

Each score is clipped to bounds that are public, given in advance and never taken from the data, and
gets Laplace noise of scale (high - low) / epsilon from OpenDP. Given the model, the released score
of a sample depends on that sample alone, so replacing one sample moves one released score, by at
most high - low: the release is pure epsilon-differentially private, for each sample on its own.
The model must be private too, and its events composed with this one (docs/privacy/releases.md).

The noise is drawn from the operating system's secure source. It cannot be seeded or repeated, and
whoever publishes two releases of the same scores pays twice.
"""

import math
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradval.privacy.events import Events, Release, Unit, extended
from gradval.privacy.records import read_record

if TYPE_CHECKING:
    from opendp.mod import Measurement

Bounds = tuple[float, float]


def release(scores: ArrayLike, bounds: Bounds, epsilon: float) -> NDArray[np.float64]:
    """Release scores under pure `epsilon`-differential privacy of each one.

    Args:
        scores: `(N,)` real numbers of one score; infinities are clipped too.
        bounds: public, low < high, both finite.
        epsilon: > 0, of one sample's score.

    Returns:
        `(N,)` clipped scores with noise, which may lie outside the bounds.

    Raises:
        ValueError: the scores are not a vector or one is NaN, or bounds or epsilon are not as
            above.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"scores must be a vector (N,), got shape {values.shape}")
    if np.isnan(values).any():
        raise ValueError(f"score of sample {int(np.flatnonzero(np.isnan(values))[0])} is NaN")
    mechanism = laplace_mechanism(len(values), bounds, epsilon)
    return np.array(mechanism(np.clip(values, *bounds).tolist()), dtype=np.float64)


def laplace_mechanism(size: int, bounds: Bounds, epsilon: float) -> "Measurement":
    """OpenDP's Laplace mechanism on `size` clipped scores, of which one may change.

    Its privacy map at `high - low`, the L1 distance of such a change, is at most `epsilon`.

    Raises:
        ValueError: as in `release`.
    """
    # Imported here: it takes time, and most who import this module release nothing.
    import opendp.prelude as dp

    width = _width(bounds)
    if not 0 < epsilon < math.inf:
        raise ValueError(f"epsilon of a release must be a positive number, got {epsilon}")
    dp.enable_features("contrib")
    domain = dp.vector_domain(dp.atom_domain(T=float, nan=False), size=size)
    scale = width / epsilon
    mechanism = dp.m.make_laplace(domain, dp.l1_distance(T=float), scale=scale)
    # The division may have rounded the scale down.
    while mechanism.map(width) > epsilon:
        scale = math.nextafter(scale, math.inf)
        mechanism = dp.m.make_laplace(domain, dp.l1_distance(T=float), scale=scale)
    return mechanism


def release_event(
    score: str, bounds: Bounds, epsilon: float, samples: int, unit: Unit = "sample"
) -> Release:
    """What is executed when one score of every sample or group is released.

    Args:
        score: its name.
        bounds, epsilon: as in `release`.
        samples: how many scores are released.
        unit: whose.

    Raises:
        ValueError: a number is out of range; one line that names it.
    """
    return read_record(
        Release,
        {
            "phase": f"release of {score}",
            "score": score,
            "unit": unit,
            "samples": samples,
            "noise_multiplier": 1 / epsilon,
            "bounds": bounds,
            "libraries": {"opendp": version("opendp")},
        },
        f"release of {score}",
    )


def released_events(training: Events, releases: Sequence[Release]) -> Events:
    """What led to released scores: their run, and all releases from it.

    Raises:
        ValueError: the run is not private, so that nothing private can be released from it.
    """
    if not training.private:
        raise ValueError("scores can be released from a private run only, and this one is not")
    return extended(training, *releases)


def _width(bounds: Bounds) -> float:
    low, high = bounds
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"bounds of a release must be two numbers, low < high, got {list(bounds)}")
    return high - low
