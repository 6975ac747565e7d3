"""What plain statistics say of an image: its contrast, its detail, its distance from the typical.

The paper describes the images that scores select in such words ("low contrast", "level of
detail", "atypical"). Each statistic is given as the image's rank among the images of its class, so
that it means the same for every class and data set: 0.5 is the middle, whatever is selected.
"""

from collections.abc import Iterator

import numpy as np
import scipy  # scipy.stats is loaded at its first use, which keeps our import fast
from numpy.typing import NDArray

# Images read from a memory map at a time.
CHUNK = 1024


def ranks_within_classes(
    images: NDArray, labels: NDArray, members: NDArray
) -> dict[str, NDArray[np.float64]]:
    """Rank of every candidate within its class, by each of three statistics.

    - ``contrast``: standard deviation of its pixels (mean over channels);
    - ``detail``: mean absolute difference between neighbouring pixels, divided by the contrast, so
      that it tells fine structure from mere contrast; 0 for an image of one colour;
    - ``distance``: root mean square distance from the mean image of its class in the candidates.

    Args:
        images: (N, C, H, W) uint8 or floating-point, possibly memory-mapped.
        labels: (N,) classes.
        members: sorted indices of the candidates.

    Returns:
        Statistic -> (len(members),) mean ranks in (0, 1): (rank - 1/2) / size of the class.
    """
    classes, of_class = np.unique(labels[members], return_inverse=True)
    sums = np.zeros((len(classes), *images.shape[1:]))
    for part, chunk in _chunks(images, members):
        np.add.at(sums, of_class[part], chunk)
    means = sums / np.bincount(of_class).reshape(-1, 1, 1, 1)
    values = {name: np.empty(len(members)) for name in ("contrast", "detail", "distance")}
    for part, chunk in _chunks(images, members):
        contrast = chunk.std(axis=(2, 3)).mean(axis=1)
        values["contrast"][part] = contrast
        values["detail"][part] = np.divide(
            _roughness(chunk), contrast, out=np.zeros(len(chunk)), where=contrast > 0
        )
        apart = chunk - means[of_class[part]]
        values["distance"][part] = np.sqrt((apart**2).mean(axis=(1, 2, 3)))
    return {name: _ranks(of_name, of_class) for name, of_name in values.items()}


def _chunks(images: NDArray, members: NDArray) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    for start in range(0, len(members), CHUNK):
        part = slice(start, start + CHUNK)
        yield part, np.asarray(images[members[part]], dtype=np.float32)


def _roughness(chunk: NDArray) -> NDArray:
    """Mean absolute difference between neighbours, along both axes."""
    rows = np.abs(np.diff(chunk, axis=2)).mean(axis=(1, 2, 3))
    columns = np.abs(np.diff(chunk, axis=3)).mean(axis=(1, 2, 3))
    return np.asarray((rows + columns) / 2)


def _ranks(values: NDArray, of_class: NDArray) -> NDArray[np.float64]:
    ranks = np.empty(len(values))
    for label in np.unique(of_class):
        own = of_class == label
        ranks[own] = (scipy.stats.rankdata(values[own]) - 0.5) / own.sum()
    return ranks
