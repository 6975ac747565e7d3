"""Random views of training images: horizontal flips and crops of the padded image.

The views of a step are drawn at once, before it is cut into physical batches, so that how many
images fit into memory does not change them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

# Margin that crops are shifted by, in parts of the image: 4 of 32 pixels, as is usual.
MARGIN = 8


@dataclass(frozen=True)
class Augmentation:
    """How training images are varied.

    Attributes:
        kind: `none`; `flip`, every view mirrored with probability 1/2; or `flip-crop`, also moved
            by up to an eighth of height and width, what enters being the reflection of the border
            (De et al. 2022).
        multiplicity: number M of views of a sample each time that it is drawn.
    """

    kind: str = "none"
    multiplicity: int = 1

    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        """Random numbers in [0, 1) that decide the views of n samples, `(n, M, 3)`."""
        if self.kind == "none":
            return torch.empty(samples, self.multiplicity, 0)
        return torch.rand(
            samples, self.multiplicity, 3, generator=generator, device=generator.device
        )

    def views(self, images: Tensor, draws: Tensor) -> Tensor:
        """Views of a batch.

        Args:
            images: `(n, C, H, W)`, on any device.
            draws: `(n, M, 3)`, what `draw` returned for these samples.

        Returns:
            `(n * M, C, H, W)`; consecutive views belong to one sample.
        """
        repeated = images.repeat_interleave(self.multiplicity, 0)
        if self.kind == "none":
            return repeated
        flip, *shifts = draws.to(images.device).flatten(0, 1).unbind(1)
        height, width = images.shape[2:]
        rows = torch.arange(height, device=images.device).expand(len(repeated), -1)
        columns = torch.arange(width, device=images.device).expand(len(repeated), -1)
        columns = torch.where((flip < 0.5)[:, None], columns.flip(1), columns)
        if self.kind == "flip-crop":
            rows, columns = _moved(rows, shifts[0], height), _moved(columns, shifts[1], width)
        pixels = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
        # Into fresh memory of the usual layout; see `gradval.data.images`.
        gathered = repeated.flatten(2).gather(2, pixels[:, None].expand(-1, images.shape[1], -1))
        return gathered.view(-1, *images.shape[1:])


def _moved(places: Tensor, draws: Tensor, size: int) -> Tensor:
    """Places moved by as much as each view's draw says, reflected at the borders."""
    margin = size // MARGIN
    shift = (draws * (2 * margin + 1)).long() - margin
    moved = (places + shift[:, None]).abs()
    return size - 1 - (size - 1 - moved).abs()
