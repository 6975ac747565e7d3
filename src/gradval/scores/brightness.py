"""The brightness of an image: part of the null model, which knows neither model nor training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gradval.scores.pixels import PixelOptions, as_scores, grey, pixels_of
from gradval.scores.registry import Score

if TYPE_CHECKING:
    from torch import Tensor

    from gradval.scores.context import ScoringContext


def brightness_of(pixels: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean luminance `(N,)` of `(N, C, H, W)` pixels in [0, 1]: 0 is black, 1 white."""
    return np.asarray(grey(pixels).mean((1, 2)))


def _brightness(context: ScoringContext, options: PixelOptions) -> Tensor:
    return as_scores(brightness_of(pixels_of(context, options)), context)


SCORE = Score(_brightness, order=0, options=PixelOptions)
