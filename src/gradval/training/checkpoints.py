"""Weights and VoG checkpoints as safetensors files."""

import errno
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gradval.runtime.files import atomic_path


def checkpoint_steps(steps: int, count: int) -> list[int]:
    """Numbers of completed steps after which a checkpoint is taken, evenly, the last at the end.

    Raises:
        ValueError: there are fewer steps than checkpoints.
    """
    if steps < count:
        raise ValueError(
            f"{count} checkpoints do not fit into {steps} training steps; "
            "train longer, with smaller batches, or lower training.checkpoints"
        )
    return [round(steps * (k + 1) / count) for k in range(count)]


def save_weights(weights: dict[str, Tensor], path: str | Path) -> None:
    """Write tensors atomically.

    Raises:
        OSError: they cannot be written; the message names the file.
    """
    with atomic_path(path) as temporary:
        try:
            save_file(
                {name: tensor.detach().contiguous() for name, tensor in weights.items()}, temporary
            )
        except SafetensorError as error:
            raise OSError(errno.EIO, str(error), str(path)) from error


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """Read tensors written by `save_weights`, on the CPU.

    Raises:
        ValueError: the file is damaged; the message names it.
    """
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: not a readable safetensors file ({error})") from error


def save_checkpoints(checkpoints: list[dict[str, Tensor]], path: str | Path) -> None:
    """Write K checkpoints into one file; the tensors of checkpoint k are named `<k>/<name>`."""
    save_weights(
        {
            f"{k:03d}/{name}": tensor
            for k, weights in enumerate(checkpoints)
            for name, tensor in weights.items()
        },
        path,
    )


class Checkpoints:
    """The K checkpoints of a run, loaded one at a time into one module.

    Iterating yields that same module K times, each time with the next checkpoint's weights, so that
    any number of checkpoints costs the memory of one model. It can be iterated over repeatedly.

    Args:
        path: file written by `save_checkpoints`.
        model: a module of the architecture that was trained; its weights are overwritten.

    Raises:
        ValueError: the file is damaged; the message names it.
    """

    def __init__(self, path: str | Path, model: nn.Module) -> None:
        self.path = Path(path)
        self.model = model
        try:
            with safe_open(self.path, framework="pt") as file:
                keys = list(file.keys())
        except SafetensorError as error:
            raise ValueError(f"{path}: not a readable safetensors file ({error})") from error
        self.names = sorted({key.split("/", 1)[0] for key in keys})

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[nn.Module]:
        device = str(next(self.model.parameters()).device)
        with safe_open(self.path, framework="pt", device=device) as file:
            for name in self.names:
                weights = {key: file.get_tensor(f"{name}/{key}") for key in self.model.state_dict()}
                self.model.load_state_dict(weights)
                yield self.model
