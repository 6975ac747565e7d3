"""The contrast of an image: part of the null model, which knows neither model nor training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gradval.scores.pixels import PixelOptions, as_scores, grey, pixels_of
from gradval.scores.registry import Score

if TYPE_CHECKING:
    from torch import Tensor

    from gradval.scores.context import ScoringContext


def contrast_of(pixels: NDArray[np.floating]) -> NDArray[np.float64]:
    """Standard deviation of the luminance (RMS contrast, Peli 1990) of `(N, C, H, W)` pixels.

    Returns:
        `(N,)` in [0, 1/2] for pixels in [0, 1].
    """
    return np.asarray(grey(pixels).std((1, 2)))


def _contrast(context: ScoringContext, options: PixelOptions) -> Tensor:
    return as_scores(contrast_of(pixels_of(context, options)), context)


SCORE = Score(_contrast, order=0, options=PixelOptions)
