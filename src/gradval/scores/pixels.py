"""What a score of the image alone sees: its pixels in units of 0 to 1, whatever the model sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gradval.scores.registry import ScoreOptions

if TYPE_CHECKING:
    from torch import Tensor

    from gradval.scores.context import ScoringContext


class PixelOptions(ScoreOptions):
    """How images were normalised."""

    mean: list[float] | None = None
    """subtracted from the pixels, one a channel; left out: those of the data, if known"""
    std: list[float] | None = None
    """what the pixels were divided by, as mean; left out: those of the data, if known"""


def pixels_of(context: ScoringContext, options: PixelOptions) -> NDArray[np.float64]:
    """The batch's pixels before their normalisation, `(N, C, H, W)`.

    Raises:
        ValueError: the constants are not one a channel.
    """
    pixels = context.images.detach().cpu().double().numpy()
    channels = pixels.shape[1]
    for name, given in (("std", options.std), ("mean", options.mean)):
        if given is None:
            continue
        if len(given) != channels:
            raise ValueError(
                f"{name} has {len(given)} numbers for images of {channels} channels; give one a "
                "channel"
            )
        constants = np.array(given).reshape(1, -1, 1, 1)
        pixels = pixels * constants if name == "std" else pixels + constants
    return pixels


def grey(pixels: NDArray[np.floating]) -> NDArray[np.float64]:
    """Luminance `(N, H, W)` of `(N, C, H, W)` pixels of one channel or of red, green and blue."""
    if pixels.shape[1] != 3:
        return np.asarray(pixels.mean(1), dtype=np.float64)
    from skimage.color import rgb2gray

    return np.asarray(rgb2gray(pixels, channel_axis=1), dtype=np.float64)


def as_scores(values: NDArray[np.floating], context: ScoringContext) -> Tensor:
    """Values `(N,)` of a batch as its scores are: on its device and in its dtype."""
    import torch

    return torch.from_numpy(values).to(context.images)
