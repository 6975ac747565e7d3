"""How alike two sets of images are: structural similarity and Bhattacharyya distance."""

import math

import numpy as np
import scipy  # scipy.optimize is loaded at its first use, which keeps our import fast
import skimage  # likewise skimage.metrics
from numpy.typing import ArrayLike, NDArray

from gradval.selection.select import Indices

Matrix = NDArray[np.float64]

# scikit-image's window, unless an image is smaller.
SSIM_WINDOW = 7
# Pixels (of one channel) handed to scikit-image in one call: small images cost overhead if fewer,
# and fall out of the processor's cache if more (measured from 8x8 to 224x224).
PIXELS_PER_CALL = 2**13


def ssim_between(images_a: ArrayLike, images_b: ArrayLike, pairing: str = "matched") -> float:
    """Mean structural similarity between two sets of images, paired one-to-one.

    The index is scikit-image's ``structural_similarity`` (uniform window, sample covariance), a
    mean over channels, with the data range fixed by the type of the images. The window is 7 pixels
    wide or, if an image is smaller, the largest odd number that fits into its shorter side.

    Args:
        images_a, images_b: (k, C, H, W), both uint8 in [0, 255] or both floating in [0, 1]; H and W
            at least 3.
        pairing: "matched" pairs the images for the largest total (an assignment problem), so that
            the order within a set does not matter and equal sets give exactly 1.0; "rank" pairs
            them in the order given.

    Returns:
        The mean over the k pairs, in [-1, 1]; 1.0 for equal images.

    Raises:
        ValueError: the sets differ in shape or type, the images are of another type, range or too
            small, or the pairing is unknown.
    """
    a, b = as_images(images_a), as_images(images_b)
    if a.shape != b.shape:
        raise ValueError(f"the two sets must have the same shape, got {a.shape} and {b.shape}")
    if pairing == "matched":
        return matched_mean(ssim_matrix(a, b))
    if pairing == "rank":
        every = np.arange(len(a))
        return float(_ssim_of_pairs(a, b, every, every).mean())
    raise ValueError(f"pairing must be 'matched' or 'rank', got {pairing!r}")


def matched_mean(matrix: Matrix) -> float:
    """Mean of a square similarity matrix over the one-to-one pairing with the largest total."""
    return float(matrix[scipy.optimize.linear_sum_assignment(matrix, maximize=True)].mean())


def ssim_matrix(images_a: ArrayLike, images_b: ArrayLike | None = None) -> Matrix:
    """Structural similarity of every image of one set with every image of another.

    Args:
        images_a: (k, C, H, W), as in `ssim_between`.
        images_b: (m, C, H, W) of the same type; if None, ``images_a``, at half the cost, because
            the index is symmetric.

    Returns:
        (k, m) float64, in [-1, 1].

    Raises:
        ValueError: as in `ssim_between`.
    """
    a = as_images(images_a)
    if images_b is None:
        rows, columns = np.triu_indices(len(a))
        matrix = np.empty((len(a), len(a)))
        matrix[rows, columns] = matrix[columns, rows] = _ssim_of_pairs(a, a, rows, columns)
        return matrix
    b = as_images(images_b)
    rows, columns = np.indices((len(a), len(b))).reshape(2, -1)
    return _ssim_of_pairs(a, b, rows, columns).reshape(len(a), len(b))


def _ssim_of_pairs(a: NDArray, b: NDArray, rows: Indices, columns: Indices) -> Matrix:
    """SSIM of a[rows[i]] with b[columns[i]] for every i, shape (len(rows),).

    A call for one small pair is nearly all overhead, so several are stacked on top of each other
    into one tall image. Windows that span two images are cut off, as scikit-image itself cuts off
    the margin of an image. For 8-bit images the result is that of one call a pair to the last bit:
    the filter that scikit-image uses sums down the columns first, and sums of integers are exact.
    With floating-point images rounding errors would travel down the stack, so they go one by one.
    """
    if a.shape[1:] != b.shape[1:] or a.dtype != b.dtype:
        raise ValueError(
            "images must agree in shape and type, "
            f"got {a.dtype} {a.shape[1:]} and {b.dtype} {b.shape[1:]}"
        )
    _, channels, height, width = a.shape
    window = _window(height, width)
    margin = window // 2
    per_call = max(1, PIXELS_PER_CALL // (height * width)) if a.dtype == np.uint8 else 1
    values = np.empty(len(rows))
    for start in range(0, len(rows), per_call):
        part = slice(start, start + per_call)
        _, full = skimage.metrics.structural_similarity(
            _stack(a[rows[part]]),
            _stack(b[columns[part]]),
            win_size=window,
            data_range=_upper_bound(a),
            channel_axis=0,
            full=True,
        )
        full = full.reshape(channels, -1, height, width)
        inner = full[:, :, margin : height - margin, margin : width - margin]
        values[part] = inner.mean(axis=(2, 3), dtype=np.float64).mean(axis=0)
    return values


def _stack(images: NDArray) -> NDArray:
    """(n, C, H, W) images as one image (C, n * H, W)."""
    _, channels, _, width = images.shape
    return images.transpose(1, 0, 2, 3).reshape(channels, -1, width)


def _window(height: int, width: int) -> int:
    """The window of the similarity index: 7, or the largest odd number that fits."""
    side = min(height, width)
    if side < 3:
        raise ValueError(f"SSIM needs images of at least 3x3 pixels, got {height}x{width}")
    return min(SSIM_WINDOW, side - 1 + side % 2)


def bhattacharyya_distance(images_a: ArrayLike, images_b: ArrayLike, bins: int = 256) -> float:
    """Bhattacharyya distance between the pixel histograms of two sets of images.

    -ln sum_i sqrt(p_i q_i), where p and q are the normalised histograms of all pixel values, over
    all channels, of a set (Kailath 1967). The bins divide [0, 256) for uint8 images, so that 256
    of them are one value each, and [0, 1] for floating-point images.

    Args:
        images_a, images_b: (k, C, H, W), both uint8 in [0, 255] or both floating in [0, 1]; the
            two sets may differ in size.
        bins: the number of bins, at least 1.

    Returns:
        The distance, 0.0 for equal histograms, infinite if they have no bin in common.

    Raises:
        ValueError: the images are of another or of different type or range, or bins < 1.
    """
    a, b = as_images(images_a), as_images(images_b)
    if a.dtype != b.dtype:
        raise ValueError(f"the two sets must have the same type, got {a.dtype} and {b.dtype}")
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    # Counts, not frequencies: sqrt(n * n) is exactly n, so equal histograms give exactly zero.
    common = np.sqrt(_histogram(a, bins) * _histogram(b, bins)).sum()
    coefficient = common / math.sqrt(a.size * b.size)
    return max(0.0, -math.log(coefficient)) if coefficient > 0 else math.inf


def _histogram(images: NDArray, bins: int) -> Matrix:
    """Counts of all pixel values in equal bins over the range of the type, as float64."""
    upper = 256 if images.dtype == np.uint8 else 1
    return np.histogram(images, bins=bins, range=(0, upper))[0].astype(np.float64)


def as_images(images: ArrayLike) -> NDArray:
    """Convert to an array of images, and check it.

    Args:
        images: (k, C, H, W) uint8, or floating-point in [0, 1].

    Returns:
        The uint8 array unchanged, or floating-point images as float64.

    Raises:
        ValueError: another number of axes, an empty array, another type, or values outside [0, 1].
    """
    array = np.asarray(images)
    if array.ndim != 4 or array.size == 0:
        raise ValueError(f"images must have shape (k, C, H, W), none empty, got {array.shape}")
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise ValueError(f"images must be uint8 or floating-point, got {array.dtype}")
    if not (array.min() >= 0 and array.max() <= 1):
        raise ValueError(
            f"floating-point images must lie in [0, 1], got {array.min():g} to {array.max():g}"
        )
    return array.astype(np.float64)


def _upper_bound(images: NDArray) -> float:
    """The largest value that images of this type can have: the data range of the index."""
    return 255.0 if images.dtype == np.uint8 else 1.0
