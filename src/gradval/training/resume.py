"""The state of an interrupted training run, on disk.

A resume file holds everything that the remaining steps depend on: weights, average, optimiser, both
random generators, the step count (from which the accountant's history follows, since every step of
a phase is the same event), metrics and VoG checkpoints taken so far. A run that resumes therefore
draws the very samples and noise that the uninterrupted run would have drawn.
"""

from pathlib import Path
from typing import Any

import torch

from gradval.files import atomic_path


def save_state(state: dict[str, Any], path: str | Path, fingerprint: str) -> None:
    """Write `state` atomically, marked with what it belongs to."""
    with atomic_path(path) as temporary:
        torch.save({"fingerprint": fingerprint, "state": state}, temporary)


def load_state(path: str | Path, fingerprint: str) -> dict[str, Any] | None:
    """Read what `save_state` wrote, or `None` if there is none or it belongs to another run.

    Args:
        path: the resume file.
        fingerprint: of data, recipe, plan and seed; a state with another one is of no use.

    Raises:
        ValueError: the file is damaged; the message names it and says what to do.
    """
    path = Path(path)
    if not path.exists():
        return None
    try:
        content = torch.load(path, weights_only=True)
        found, state = content["fingerprint"], content["state"]
    except Exception as error:
        raise ValueError(
            f"{path}: damaged resume file ({type(error).__name__}); delete it to train anew"
        ) from error
    return state if found == fingerprint else None
