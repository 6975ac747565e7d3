"""Checks of what callers hand to the scores; each failure is a ValueError of one line."""

from collections.abc import Sized
from typing import Protocol

import torch
from torch import Tensor


class Images(Sized, Protocol):
    """Images in memory, or loaded when sliced: `images[a:b]` is a float `(b - a, C, H, W)`."""

    def __getitem__(self, index: slice, /) -> Tensor: ...


def check_lengths(images: Images, labels: Tensor) -> None:
    """Refuse labels that are not one integer an image."""
    if not isinstance(labels, Tensor) or labels.dim() != 1 or _is_fractional(labels):
        raise ValueError(f"labels must be an integer tensor of shape (N,), not {_kind(labels)}")
    if len(images) != len(labels):
        raise ValueError(f"{len(images)} images, but {len(labels)} labels")


def check_images(images: Tensor, start: int = 0) -> None:
    """Refuse images that are not 4-D, floating and finite; `start` is the first one's index."""
    if not isinstance(images, Tensor) or images.dim() != 4 or not images.is_floating_point():
        raise ValueError(
            f"images must be a floating tensor of shape (N, C, H, W), not {_kind(images)}"
        )
    index = first_non_finite(images)
    if index is not None:
        raise ValueError(f"image {start + index} has pixels that are NaN or infinite")


def check_scores(name: str, scores: Tensor, count: int, start: int = 0) -> None:
    """Refuse scores that are not `(count,)` and finite; `start` is the first one's sample."""
    if scores.shape != (count,):
        raise ValueError(
            f"score {name!r} of {count} samples has shape {tuple(scores.shape)}, not ({count},)"
        )
    index = first_non_finite(scores)
    if index is not None:
        raise ValueError(
            f"score {name!r} of sample {start + index} is {scores[index].item()}: the model has "
            "diverged or the sample overflows it"
        )


def first_non_finite(rows: Tensor) -> int | None:
    """Index of the first row with an entry that is NaN or infinite."""
    bad = ~torch.isfinite(rows).flatten(1).all(1) if rows.dim() > 1 else ~torch.isfinite(rows)
    return int(bad.nonzero()[0]) if bad.any() else None


def _kind(given: object) -> str:
    if isinstance(given, Tensor):
        return f"{given.dtype} {tuple(given.shape)}"
    return type(given).__name__


def _is_fractional(labels: Tensor) -> bool:
    return labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool
