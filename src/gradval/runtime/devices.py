"""The device that a job computes on: its own GPU if there are several, or the CPU.

A scheduler such as SLURM shows a job only the GPUs that it may use. Without one, every process sees
all of them; Snakemake counts GPUs (`--resources gpu=2`) but never assigns them. So each process
takes the first device that no other holds, by a file lock that the system releases when the process
ends, however it ends.
"""

import logging
import os
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)

# Held until the process ends.
_held: list[FileLock] = []


@cache
def job_device() -> torch.device:
    """The device of this process, the same at every call, on which float32 is float32.

    TensorFloat-32, which convolutions on a GPU use unless told otherwise, keeps ten bits: enough
    for many trainings, but scores would not agree with those of a CPU, and clipped gradients would
    exceed the clipping norm by more than rounding.

    The GPU that a scheduler or `CUDA_VISIBLE_DEVICES` leaves visible; of several the first free
    one; the CPU if there is none. If all are taken, one is shared, with a notice.
    """
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    if not torch.cuda.is_available():
        return torch.device("cpu")
    count = torch.cuda.device_count()
    index = 0 if count == 1 else claim(visible_names(count), lock_folder())
    # Also for what is created on "cuda" without an index.
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def chosen_device(name: str) -> torch.device:
    """The device that somebody names: `auto` for `job_device()`, `cpu`, `cuda` or `cuda:<n>`.

    Raises:
        ValueError: there is no such device.
    """
    if name == "auto" or (name == "cuda" and torch.cuda.is_available()):
        return job_device()
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ValueError(f"device {name!r} must be auto, cpu, cuda or cuda:<n>")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"there is no device {name}: {torch.cuda.device_count()} GPUs are visible")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    return device


def visible_names(count: int) -> list[str]:
    """Names of the visible GPUs, the same in processes that see different parts of them."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in listed.split(",") if name.strip()]
    return names if len(names) == count else [str(i) for i in range(count)]


def lock_folder() -> Path:
    """Where the locks of this user's processes on this machine lie."""
    return Path(tempfile.gettempdir()) / f"gradval-gpus-{os.getuid()}"


def claim(names: Sequence[str], folder: Path) -> int:
    """Take a device for the rest of this process.

    Args:
        names: of the devices, at least one.
        folder: of the lock files, one a device.

    Returns:
        Position in `names` of the first free device, or of one to share if none is free.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        lock = FileLock(folder / f"{name}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        _held.append(lock)
        return index
    index = os.getpid() % len(names)
    logger.warning("all %d GPUs are taken, sharing GPU %s", len(names), names[index])
    return index
