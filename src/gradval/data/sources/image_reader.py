"""Decoding the files of a folder or archive, one at a time, into arrays on disk."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from gradval.data.sources.decoding import BadImage, decode
from gradval.data.sources.image_files import read_files
from gradval.data.sources.scratch import scratch_array


@dataclass(frozen=True)
class Entry:
    """One image file: its split (`train` or `test`), class and name in the folder or archive."""

    split: str
    class_name: str
    name: str


@dataclass(frozen=True)
class DecodedImages:
    """Decoded images of a split.

    Attributes:
        entries: one an image.
        images: uint8 `(N, C, H, W)`, on disk.
        digests: of the decoded pixels, one an image.
    """

    entries: list[Entry]
    images: NDArray[np.uint8]
    digests: list[bytes]

    def repeats(self) -> int:
        """How many images have the very pixels of an earlier one."""
        return len(self.digests) - len(set(self.digests))

    def keep(self, positions: Sequence[int]) -> "DecodedImages":
        """Only the images at these ascending positions, moved together in place."""
        for new, old in enumerate(positions):
            if new != old:
                self.images[new] = self.images[old]
        return DecodedImages(
            [self.entries[i] for i in positions],
            self.images[: len(positions)],
            [self.digests[i] for i in positions],
        )


@dataclass
class ImageReader:
    """Reads images as a data set's options say and keeps count of what was wrong.

    Attributes:
        path: folder or tar archive.
        options: `image_size`, `channels`, `resize`, `on_bad_image`.
        scratch: folder on a disk with room for the decoded images.
        bad: files that were skipped, with the reason.
        resized: how many images had another size.
    """

    path: Path
    options: Mapping[str, Any]
    scratch: Path
    bad: list[str] = field(default_factory=list)
    resized: int = 0

    def read(self, entries: list[Entry]) -> DecodedImages:
        """Decode the files of one split.

        Raises:
            ValueError: a file is not a readable image and `on_bad_image` is `fail`.
        """
        size, channels = self.options["image_size"], self.options["channels"]
        images = scratch_array((len(entries), channels, size, size), self.scratch)
        position = {entry.name: i for i, entry in enumerate(entries)}
        digests: dict[int, bytes] = {}
        files = read_files(self.path, set(position))
        label = entries[0].split if entries else None
        for name, content in tqdm(files, label, len(entries), unit="image", mininterval=1.0):
            try:
                pixels, resized = decode(content, channels, size, self.options["resize"])
            except BadImage as error:
                self._reject(name, error)
                continue
            i = position[name]
            images[i] = pixels
            digests[i] = hashlib.sha256(images[i].tobytes()).digest()
            self.resized += resized
        everything = DecodedImages(
            entries, images, [digests.get(i, b"") for i in range(len(entries))]
        )
        return everything.keep(sorted(digests))

    def _reject(self, name: str, error: BadImage) -> None:
        if self.options["on_bad_image"] == "fail":
            raise ValueError(
                f"{self.path}: {name} is not a readable image ({error}); mend or remove it, or set "
                "on_bad_image: skip"
            )
        self.bad.append(f"{name}: {error}")
