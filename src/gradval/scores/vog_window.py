"""VoG over a part of the checkpoints: early or late in training, or fewer of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradval.scores.checkpoint_passes import Which
from gradval.scores.registry import Score
from gradval.scores.vog import VogOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gradval.scores.context import ScoringContext


class VogWindowOptions(VogOptions):
    """Which variance of which gradient, over which checkpoints."""

    checkpoints: Which = "all"
    """first, early (the first half), late, last, all; a number of them; or a list of positions"""


def _vog_window(context: ScoringContext, options: VogWindowOptions) -> Tensor:
    """As `vog`, which it is for `checkpoints: all`.

    Several windows of one batch share the gradients of each checkpoint, which a variance that is
    accumulated on the way, as that of `vog`, could not.
    """
    from gradval.scores.checkpoint_passes import of_checkpoints
    from gradval.scores.input_gradients import input_gradients
    from gradval.scores.vog import _squared_deviations

    def gradients(checkpoint: nn.Module) -> Tensor:
        return input_gradients(
            checkpoint, context.images, context.labels, options.target, first=context.first
        )

    kind = f"input gradients of the {options.target}"
    maps = of_checkpoints(context, options.checkpoints, "vog_window", kind, gradients)
    if options.channels == "averaged":
        maps = [gradient.mean(1, keepdim=True) for gradient in maps]
    squares, count = _squared_deviations(maps)
    printed = options.statistic == "printed"
    per_pixel = squares / math.sqrt(count) if printed else (squares / count).sqrt()
    return per_pixel.mean((1, 2, 3))


SCORE = Score(_vog_window, order=0, options=VogWindowOptions)
