"""The random streams of a training run, independent of one another.

Privacy rests on all three of them. Whoever knows the noise can subtract it, and whoever knows when
a sample would have been drawn gains nothing from its sampling. The views belong to it too: they
are drawn in the order of the samples, so a sample changes which views the later ones get.

All three follow from one key. It is secret, from the operating system's entropy, or derived from
seed, draw, name of the run and a fingerprint of data and plan, so that two runs that differ in any
of these share no random number. If they shared their noise, it would cancel in the difference of
their weights.
"""

import os
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from gradval.privacy.keystream import KEY_BYTES, KeyStream, derive_key
from gradval.privacy.noise import GaussianNoise


@dataclass(frozen=True)
class Streams:
    """Where a run draws its random numbers from.

    Attributes:
        sampling: which samples enter a step.
        noise: of DP-SGD, on the device of the model.
        augmentation: views of the samples; on the CPU, so that they are the same on every device.
    """

    sampling: KeyStream
    noise: GaussianNoise
    augmentation: torch.Generator

    @classmethod
    def of(cls, key: bytes, device: torch.device) -> Self:
        """The streams of a key of 32 bytes, of `secret_key` or `seeded_key`."""
        sampling, noise, augmentation = (
            KeyStream(derive_key(key, name)) for name in ("sampling", "noise", "augmentation")
        )
        return cls(sampling, GaussianNoise(noise, device), _twister(augmentation))

    def state_dict(self) -> dict[str, Tensor]:
        """The state of every stream. All that was drawn can be computed from it."""
        return {name: stream.get_state() for name, stream in vars(self).items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        for name, stream in vars(self).items():
            stream.set_state(state[name])


def secret_key() -> bytes:
    """A key that nobody can foresee or repeat, from the operating system's entropy."""
    return os.urandom(KEY_BYTES)


def seeded_key(seed: int, draw: int, name: str, fingerprint: str) -> bytes:
    """The key of a run that can be repeated.

    Args:
        seed: of the initial weights.
        draw: which of several runs from the same initial weights.
        name: of the run.
        fingerprint: of data, plan and all else that the run's steps depend on, see
            `gradval.training.fingerprints.stream_fingerprint`.
    """
    return derive_key(b"gradval streams", seed, draw, name, fingerprint)


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


def _twister(stream: KeyStream) -> torch.Generator:
    """PyTorch's generator on the CPU, its whole state from the stream.

    A seed gives it but 32 bits, few enough to try them all; its state has 19,937.
    """
    generator = torch.Generator().manual_seed(0)
    state = generator.get_state().numpy()
    words = stream.words(_WORDS).numpy().view(np.uint64) >> np.uint64(32)
    state[_WORDS_FROM : _WORDS_FROM + 8 * _WORDS] = words.view(np.uint8)
    generator.set_state(torch.from_numpy(state))
    return generator
