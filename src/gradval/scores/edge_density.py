"""How much of an image is edges: part of the null model, which knows neither model nor training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gradval.scores.pixels import PixelOptions, as_scores, grey, pixels_of
from gradval.scores.registry import Score

if TYPE_CHECKING:
    from torch import Tensor

    from gradval.scores.context import ScoringContext

THRESHOLD = 0.1


class EdgeOptions(PixelOptions):
    """What counts as an edge."""

    threshold: Annotated[float, Field(gt=0)] = THRESHOLD
    """Sobel magnitude of the luminance, in units of 0 to 1, above which a pixel is on an edge"""


def edge_density_of(
    pixels: NDArray[np.floating], threshold: float = THRESHOLD
) -> NDArray[np.float64]:
    """Share of pixels whose Sobel magnitude (scikit-image) exceeds a threshold.

    Args:
        pixels: `(N, C, H, W)` in [0, 1].
        threshold: in the same units; at a straight step from black to white it is 0.71.

    Returns:
        `(N,)` in [0, 1].
    """
    from skimage.filters import sobel

    # Image by image: neighbours in the batch are none.
    magnitudes = np.stack([sobel(image) for image in grey(pixels)])
    return np.asarray((magnitudes > threshold).mean((1, 2)))


def _edge_density(context: ScoringContext, options: EdgeOptions) -> Tensor:
    return as_scores(edge_density_of(pixels_of(context, options), options.threshold), context)


SCORE = Score(_edge_density, order=0, options=EdgeOptions)
