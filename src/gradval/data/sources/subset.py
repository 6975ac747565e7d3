"""Stratified subsets."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def stratified_subset(
    labels: Sequence[object] | NDArray[np.int64], count: int, seed: int, key: str
) -> NDArray[np.int64]:
    """Draw `count` samples with the classes in their proportions.

    Args:
        labels: class of each sample, length N.
        count: samples to draw, from the number of classes to N.
        seed: of the draw.
        key: name of the option that asks for `count`, for messages.

    Returns:
        Ascending positions, int64 `(count,)`.

    Raises:
        ValueError: there are too few samples, or too few for each class.
    """
    from sklearn.model_selection import train_test_split

    if count == len(labels):
        return np.arange(count)
    if count > len(labels):
        raise ValueError(f"{key}: {count} images are asked for, but there are {len(labels)}")
    try:
        drawn, _ = train_test_split(
            np.arange(len(labels)), train_size=count, stratify=labels, random_state=seed
        )
    except ValueError as error:
        raise ValueError(
            f"{key}: {count} of {len(labels)} images cannot be drawn by class ({error})"
        ) from error
    return np.sort(drawn).astype(np.int64)
