"""A site's own images for scoring: one split of a folder or archive, no other one needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradval.data.sources.files import list_files
from gradval.data.sources.folder import FOLDER, classified, grouped, grouped_by, pixel_rules
from gradval.data.sources.image_reader import DecodedImages, ImageReader
from gradval.data.sources.image_set import FileSource, ImageSet
from gradval.data.sources.labels import place_by_labels
from gradval.data.sources.layout import Entry, FolderLayout, Placement
from gradval.data.sources.listing import Listing


@dataclass(frozen=True)
class OwnImages:
    """Labelled images, in the order of their classes and names.

    Attributes:
        images: uint8 `(N, C, H, W)`, on disk.
        labels: int64 `(N,)`, positions in `classes`.
        classes: class names, position = label.
        files: name of each image in the folder or archive.
        groups: group of each image, such as a patient; its own name if there is none.
        found: what was found, as plain values (`describe` puts it in lines).
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    files: list[str]
    groups: list[str]
    found: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.labels)


def read_own_images(
    options: Mapping[str, Any],
    scratch: Path,
    *,
    split: str = "train",
    classes: Sequence[str] | None = None,
    source: FileSource = FOLDER,
) -> OwnImages:
    """Read the images of one split.

    The layout is a table (`labels`), `train|test/<class>/<file>`, or `<class>/<file>`, which is the
    split `train`.

    Args:
        options: as in `read_image_set`.
        scratch: folder on a disk with room for the decoded images.
        split: "train" or "test".
        classes: names in the order of the model's outputs. By default they are those found, sorted,
            as torchvision's ImageFolder has them; or, if a table's labels are integers, these.
        source: what is known of the data beforehand.

    Raises:
        ValueError: the layout is none of these, an image cannot be read (unless `on_bad_image` is
            "skip"), or there are none; one line that names the file.
        OSError: a file cannot be read, or the disk has no room.
    """
    path = Path(options["path"]).expanduser()
    listing = list_files(path)
    placement = _placed(path, listing, options)
    entries = classified(path, placement.entries, source)
    here = [entry for entry in entries if entry.split == split]
    if not here:
        there = ", ".join(sorted({entry.split for entry in entries}))
        raise ValueError(f"{path}: has no images in {split}, but in {there or 'neither split'}")
    order = _class_order(path, here, classes, source, integers="labels" in options)
    here, ungrouped = grouped(path, here, options, source)
    reader = ImageReader(
        path,
        listing.files,
        options["image_size"],
        options["resize"],
        pixel_rules(options),
        scratch,
    )
    decoded = reader.read(here)
    others = "train" if split == "test" else "test"
    images = ImageSet(
        options,
        source,
        placement.form,
        order,
        {split: decoded, others: DecodedImages([], decoded.images[:0], [])},
        reader.bad,
        placement.ignored,
        reader.modes,
        reader.resized,
        reader.dark,
        grouped_by(here, options, source),
        ungrouped,
    )
    images.check()
    if not decoded.entries:
        raise ValueError(f"{path}: none of the images can be read")
    label = {name: i for i, name in enumerate(order)}
    return OwnImages(
        decoded.images,
        np.array([label[entry.class_name] for entry in decoded.entries], np.int64),
        order,
        [entry.name for entry in decoded.entries],
        images.groups(split),
        images.summary(),
    )


class ImagesByName:
    """Images of a folder or archive that are read when they are indexed.

    Args:
        options: as in `read_own_images`.
        files: names of the images, in the order of the indices.

    Raises:
        ValueError: one of them is not there any more.
    """

    def __init__(self, options: Mapping[str, Any], files: Sequence[str]) -> None:
        self.options, self.files = options, list(files)
        self.path = Path(options["path"]).expanduser()
        self._listing = list_files(self.path)
        for name in self.files:
            if name not in self._listing.files:
                raise ValueError(f"{self.path}: {name}, which was scored, is not there any more")

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Uint8 `(n, C, H, W)` of the images at n distinct positions."""
        options = self.options
        names = [self.files[i] for i in positions]
        with TemporaryDirectory() as scratch:
            reader = ImageReader(
                self.path,
                self._listing.files,
                options["image_size"],
                options["resize"],
                pixel_rules(options),
                Path(scratch),
            )
            decoded = reader.read([Entry("images", "", name) for name in names])
            if reader.bad:
                name, reason = next(iter(reader.bad.items()))
                raise ValueError(f"{self.path}: {name} cannot be read any more ({reason})")
            return np.array(decoded.images)


def _placed(path: Path, listing: Listing, options: Mapping[str, Any]) -> Placement:
    if "labels" in options:
        return place_by_labels(path, listing, options["labels"])
    layout = FolderLayout(
        path, listing, options.get("subfolders", "fail"), options.get("ignore", ())
    )
    return layout.place(split=layout.has_splits())


def _class_order(
    path: Path,
    entries: Sequence[Entry],
    given: Sequence[str] | None,
    source: FileSource,
    integers: bool,
) -> tuple[str, ...]:
    found = sorted({entry.class_name for entry in entries})
    if given is None and source.classes is None:
        if integers and all(name.isdecimal() and str(int(name)) == name for name in found):
            return tuple(str(i) for i in range(max(map(int, found)) + 1))
        return tuple(found)
    order = tuple(given or source.classes or ())
    if len(set(order)) != len(order):
        raise ValueError(f"classes: {', '.join(order)} names one twice")
    unknown = [name for name in found if name not in order]
    if unknown:
        raise ValueError(f"{path}: class {unknown[0]!r} is not among {', '.join(order)}")
    return order
