"""Scores on a common scale, class by class."""

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

Array = TypeVar("Array", Tensor, np.ndarray)


def normalise_per_class(scores: Array, labels: Array, method: str = "minmax") -> Array:
    """Normalise scores within each class.

    Args:
        scores: `(N,)` floating, finite.
        labels: `(N,)` integers.
        method: "minmax" maps a class onto [0, 1] (the paper); "zscore" to mean 0 and (population)
            standard deviation 1 (Agarwal et al. 2022). A class whose scores are all the same
            becomes 0.

    Returns:
        `(N,)`, of the kind (tensor or array) and dtype of `scores`.

    Raises:
        ValueError: unknown method, shapes that do not match, or scores that are not floating or
            not finite.
    """
    if method not in ("minmax", "zscore"):
        raise ValueError(f"unknown method {method!r}; known are 'minmax' and 'zscore'")
    values = scores.detach().cpu().numpy() if isinstance(scores, Tensor) else np.asarray(scores)
    classes = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if values.ndim != 1 or values.shape != classes.shape:
        raise ValueError(
            f"scores and labels must both have shape (N,), not {values.shape} and {classes.shape}"
        )
    if not np.isfinite(values).all():
        index = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(f"score of sample {index} is {values[index]}")
    if not np.issubdtype(values.dtype, np.floating):
        raise ValueError(f"scores must be floating, not {values.dtype}")
    normalised = np.zeros_like(values)
    for label in np.unique(classes):
        members = classes == label
        normalised[members] = (
            _minmax(values[members]) if method == "minmax" else _zscore(values[members])
        )
    return (
        torch.as_tensor(normalised, device=scores.device)
        if isinstance(scores, Tensor)
        else normalised
    )


def _minmax(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def _zscore(values: np.ndarray) -> np.ndarray:
    # A constant class may have a standard deviation of rounding errors.
    constant = values.min() == values.max()
    return np.zeros_like(values) if constant else (values - values.mean()) / values.std()
