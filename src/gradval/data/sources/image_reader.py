"""Decoding the files of a folder or archive, one at a time, into arrays on disk."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from gradval.data.sources.decoding import decode
from gradval.data.sources.files import read_files
from gradval.data.sources.layout import Entry
from gradval.data.sources.listing import MAX_FILE_BYTES, File
from gradval.data.sources.modes import BadImage, PixelRules
from gradval.data.sources.scratch import scratch_array


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
    """Reads images of a tree and keeps count of what was met.

    Attributes:
        path: folder or archive.
        files: what is there, by name.
        size, resize: as in `decode`.
        rules: of pixels.
        scratch: folder on a disk with room for the decoded images.
        bad: files that are no readable images -> why.
        modes: how many images have which pixel mode.
        resized: how many had another size.
        dark: names of 16-bit images that seem to use few of them.
    """

    path: Path
    files: Mapping[str, File]
    size: int
    resize: str
    rules: PixelRules
    scratch: Path
    bad: dict[str, str] = field(default_factory=dict)
    modes: Counter[str] = field(default_factory=Counter)
    resized: int = 0
    dark: list[str] = field(default_factory=list)

    def read(self, entries: list[Entry]) -> DecodedImages:
        """Decode the files of one split; those that cannot be read are put among `bad`.

        Raises:
            ValueError: the archive is damaged.
            OSError: a file cannot be read, or the disk has no room.
        """
        shape = (len(entries), self.rules.channels, self.size, self.size)
        images = scratch_array(shape, self.scratch)
        position = {entry.name: i for i, entry in enumerate(entries)}
        digests: dict[int, bytes] = {}
        wanted = {name: self.files[name] for name in position}
        for name in [name for name, file in wanted.items() if file.size > MAX_FILE_BYTES]:
            del wanted[name]
            self.bad[name] = f"larger than {MAX_FILE_BYTES >> 20} MiB"
        label = entries[0].split if entries else None
        files = read_files(self.path, wanted)
        for name, content in tqdm(files, label, len(wanted), unit="image", mininterval=1.0):
            try:
                decoded = decode(content, self.size, self.resize, self.rules)
            except BadImage as error:
                self.bad[name] = str(error)
                continue
            i = position[name]
            images[i] = decoded.pixels
            digests[i] = hashlib.sha256(images[i].tobytes()).digest()
            self.modes[decoded.mode] += 1
            self.resized += decoded.resized
            if decoded.dark:
                self.dark.append(name)
        everything = DecodedImages(
            entries, images, [digests.get(i, b"") for i in range(len(entries))]
        )
        return everything.keep(sorted(digests))
