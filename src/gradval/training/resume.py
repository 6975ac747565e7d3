"""The state of an interrupted training run, on disk.

A resume file holds everything that the remaining steps depend on: weights, average, optimiser, all
random generators, the step count (from which the accountant's history follows, since every step of
a phase is the same event) and metrics. A run that resumes therefore draws the very samples and
noise that the uninterrupted run would have drawn. Checkpoints for VoG lie in side files, each
written once, to which the resume file refers by their digests. A SHA-256 sum guards each file.
"""

import hashlib
import io
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from gradval.runtime.files import atomic_path

logger = logging.getLogger("gradval")

RESUME_FILE = "resume.pt"  # its name in the folder of a run

# How often the state of a run is written; a killed run repeats at most this many seconds. A state
# that takes longer than a second to write is written as many times less often, up to ten times.
SAVE_EVERY_SECONDS, MOST_STRETCH = 60.0, 10.0

_SUM_BYTES = hashlib.sha256().digest_size


class ResumeFiles:
    """The resume file of one run, and the side files of its checkpoints.

    Args:
        path: the resume file; side files lie beside it.
        fingerprint: of all that the run's result depends on. A state with another one is not used.
    """

    def __init__(self, path: str | Path, fingerprint: str) -> None:
        self.path = Path(path)
        self.fingerprint = fingerprint
        self._names: list[str] = []

    def save(self, state: dict[str, Any], checkpoints: Sequence[dict[str, Tensor]]) -> None:
        """Replace the state on disk; whoever reads finds the old one or the new one.

        Args:
            state: tensors and plain values.
            checkpoints: weights on the CPU, all that were taken so far.

        Raises:
            OSError: it cannot be written; the state from before is still there.
        """
        # Before the state that refers to them.
        for weights in checkpoints[len(self._names) :]:
            content = save({name: tensor.contiguous() for name, tensor in weights.items()})
            name = f"{self.path.stem}.{hashlib.sha256(content).hexdigest()}.safetensors"
            _write(self.path.with_name(name), content)
            self._names.append(name)
        buffer = io.BytesIO()
        torch.save(
            {"fingerprint": self.fingerprint, "checkpoints": self._names, "state": state}, buffer
        )
        content = buffer.getvalue()
        _write(self.path, content, hashlib.sha256(content).digest())

    def load(self) -> tuple[dict[str, Any], list[dict[str, Tensor]]] | None:
        """State and checkpoints as they were saved, on the CPU; `None` if there are none.

        Raises:
            ValueError: a file is damaged or missing; the message names it and says what to do.
        """
        if not self.path.exists():
            return None
        content = self.path.read_bytes()
        if hashlib.sha256(content[:-_SUM_BYTES]).digest() != content[-_SUM_BYTES:]:
            raise ValueError(
                f"{self.path}: damaged resume file (its checksum is wrong); delete it to train anew"
            )
        found = torch.load(io.BytesIO(content[:-_SUM_BYTES]), weights_only=True, map_location="cpu")
        if found["fingerprint"] != self.fingerprint:
            logger.warning(
                "%s is of other data, code, configuration or kind of device than this run, which "
                "therefore begins anew",
                self.path,
            )
            return None
        self._names = found["checkpoints"]
        return found["state"], [self._load_checkpoint(name) for name in self._names]

    def _load_checkpoint(self, name: str) -> dict[str, Tensor]:
        side = self.path.with_name(name)
        content = side.read_bytes() if side.exists() else b""
        if hashlib.sha256(content).hexdigest() not in name:
            raise ValueError(
                f"{side}: damaged or missing checkpoint of an interrupted run; delete {self.path} "
                "to train anew"
            )
        weights: dict[str, Tensor] = load(content)
        return weights


class SaveTimes:
    """When the state is to be written next.

    Args:
        every: seconds between two times, more if writing takes long.
    """

    def __init__(self, every: float) -> None:
        self.every = every
        self._next = time.monotonic() + every

    def save_if_due(self, save: Callable[[], None]) -> None:
        """Call `save` if its time has come."""
        begin = time.monotonic()
        if begin > self._next:
            save()
            end = time.monotonic()
            self._next = end + self.every * min(max(1.0, end - begin), MOST_STRETCH)


def computed_with(device: torch.device) -> dict[str, str | int]:
    """What the last bits of a result depend on beside the fingerprint."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else "none"
    return {"torch": str(torch.__version__), "threads": torch.get_num_threads(), "GPU": gpu}


def warn_of_changes(before: dict[str, str | int], device: torch.device) -> None:
    """Say what of `computed_with` is not as it was when the state was saved."""
    now = computed_with(device)
    for name, value in before.items():
        if now[name] != value:
            logger.warning(
                "the steps so far were computed with %s %s, the others are with %s: the result "
                "may differ in its last bits from that of an uninterrupted run",
                *(name, value, now[name]),
            )


def remove_state(path: str | Path) -> None:
    """Delete a resume file, its side files, and what a killed process left of writing them."""
    path = Path(path)
    path.unlink(missing_ok=True)
    for pattern in (f"{path.stem}.*.safetensors", f".{path.stem}.*"):
        for side in path.parent.glob(pattern):
            side.unlink(missing_ok=True)


def _write(path: Path, *parts: bytes) -> None:
    # For nobody else's eyes: from the states of the generators the noise can be computed.
    with (
        atomic_path(path) as temporary,
        open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file,
    ):
        file.writelines(parts)
