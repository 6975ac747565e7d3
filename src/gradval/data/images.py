"""Images of the canonical store as normalised tensors, loaded slice by slice."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

Index = slice | np.ndarray | Tensor | list[int]


class NormalisedImages:
    """A lazy, read-only view of uint8 images as normalised float tensors.

    Only the indexed images are ever converted, so a memory-mapped data set of any size costs the
    memory of one batch. The constants are public: never computed from private training images.

    Args:
        images: uint8 `(N, C, H, W)`, possibly memory-mapped.
        mean: per-channel means in `[0, 1]` units, length C.
        std: per-channel standard deviations in `[0, 1]` units, length C, positive.
        device: where the float tensors go.
        dtype: floating type of the tensors.
    """

    def __init__(
        self,
        images: np.ndarray,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.images = images
        self.device = torch.device(device)
        # (x / 255 - mean) / std as one multiply-add per channel.
        scale = 1 / (255 * torch.tensor(std, dtype=dtype, device=device))
        self.scale = scale[:, None, None]
        self.shift = -(torch.tensor(mean, dtype=dtype, device=device) * 255 * scale)[:, None, None]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, ...]:
        """`(N, C, H, W)`."""
        return tuple(self.images.shape)

    def __getitem__(self, index: Index) -> Tensor:
        """Float tensor `(n, C, H, W)` of the images at `index`."""
        if isinstance(index, Tensor):
            index = index.cpu().numpy()
        pixels = torch.from_numpy(np.array(self.images[index])).to(self.device)
        # Written into fresh memory: the strides of a broadcast result with one channel look like
        # channels_last, and then every layer computes in that layout, slower, and on some CPUs
        # oneDNN's weight gradient of strided 1x1 convolutions corrupts the heap (torch 2.14).
        normalised = torch.empty(pixels.shape, dtype=self.scale.dtype, device=self.device)
        return torch.addcmul(self.shift, pixels, self.scale, out=normalised)
