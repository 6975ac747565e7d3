"""A site's own folder: its samples, and the training that it agreed to."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradval.data.store import Split
from gradval.federation.plans import Job, read_job, write_job
from gradval.runtime.files import atomic_path, read_json, write_json


@dataclass(frozen=True)
class SiteData:
    """What a site's folder holds.

    Attributes:
        images: uint8 `(N, C, H, W)`.
        labels: int64 `(N,)`.
        mean, std: public constants of each channel, in units of 0 to 1.
        job: that the site agreed to.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    job: Job


def write_site(
    folder: Path,
    split: Split,
    *,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    job: Job,
) -> None:
    """Write a site's folder; arguments as of `SiteData`. A class may be missing there."""
    for name, array in (("images", split.images), ("labels", split.labels)):
        with atomic_path(folder / f"{name}.npy") as temporary:
            np.save(temporary, array)
    write_json(folder / "site.json", {"mean": mean, "std": std})
    write_job(folder / "job.json", job)


def read_site(folder: Path) -> SiteData:
    """Read what `write_site` wrote, images memory-mapped.

    Raises:
        ValueError, OSError: a file is missing or damaged; the message names it.
    """
    facts = read_json(folder / "site.json")
    return SiteData(
        np.load(folder / "images.npy", mmap_mode="r"),
        np.load(folder / "labels.npy"),
        tuple(facts["mean"]),
        tuple(facts["std"]),
        read_job(folder / "job.json"),
    )
