"""The random streams of a training run, independent of one another."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from gradval.training.recipe import derive_seed


@dataclass(frozen=True)
class Streams:
    """Where a run draws its random numbers from.

    Attributes:
        sampling: which samples enter a step; on the CPU.
        noise: of DP-SGD; on the device of the model.
        augmentation: views of the samples; on the CPU, so that they are the same on every device.
    """

    sampling: torch.Generator
    noise: torch.Generator
    augmentation: torch.Generator

    @classmethod
    def seeded(cls, seed: int, device: torch.device) -> Self:
        """Streams that the seed fixes."""
        return cls(
            torch.Generator().manual_seed(derive_seed(seed, "sampling")),
            torch.Generator(device).manual_seed(derive_seed(seed, "noise")),
            torch.Generator().manual_seed(derive_seed(seed, "augmentation")),
        )

    def state_dict(self) -> dict[str, Tensor]:
        """The state of every stream."""
        return {name: stream.get_state() for name, stream in vars(self).items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        for name, stream in vars(self).items():
            stream.set_state(state[name])
