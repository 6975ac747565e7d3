"""The random streams of a training run, independent of one another.

Privacy rests on all three of them. Whoever knows the noise can subtract it, and whoever knows when
a sample would have been drawn gains nothing from its sampling. The views belong to it too: they
are drawn in the order of the samples, so a sample changes which views the later ones get.
"""

import os
from dataclasses import dataclass
from typing import Self

import numpy as np
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
    def secret(cls, device: torch.device) -> Self:
        """Streams that nobody can foresee or repeat, from the operating system's entropy."""
        return cls(_secret_generator(), _secret_generator(device), _secret_generator())

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


def default_state(device: torch.device) -> Tensor:
    """State of the generators that layers such as dropout draw from, which are no run's own."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return torch.cat(states)


# The state of PyTorch's generator on the CPU, in bytes: words before those of the Mersenne
# twister (seed, then how many words are left and whether it is seeded, then which is next), and
# the words themselves, each with 32 random bits in 64.
_WORDS_FROM, _WORDS = 24, 624


def _secret_generator(device: torch.device | str = "cpu") -> torch.Generator:
    """A generator with as much secret state as it can hold.

    The CPU's uses 32 bits of a seed, few enough to try them all, but its state has 19,937.
    """
    generator = torch.Generator(device).manual_seed(int.from_bytes(os.urandom(8)))
    if generator.device.type == "cpu":
        state = generator.get_state().numpy()
        words = np.frombuffer(os.urandom(4 * _WORDS), np.uint32).astype(np.uint64)
        state[_WORDS_FROM : _WORDS_FROM + 8 * _WORDS] = words.view(np.uint8)
        generator.set_state(torch.from_numpy(state))
    return generator
