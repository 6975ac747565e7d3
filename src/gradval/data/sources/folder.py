"""Labelled image files in folders, the layout of most image data: `train|test/<class>/<file>`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import PIL

from gradval.data.sources.image_files import list_files
from gradval.data.sources.image_reader import DecodedImages, Entry, ImageReader
from gradval.data.sources.subset import stratified_subset
from gradval.data.store import SPLITS, Split, Store, sha256_of

# Split and class of a file, `None` if it belongs to neither.
Layout = Callable[[PurePosixPath], tuple[str, str] | None]
# More to say about a source, from the names of all its images.
Remarks = Callable[[Sequence[str]], Mapping[str, Any]]

# How many bad files are named in the provenance.
NAMED = 20
# Options that decide which images are read, and how: they belong into the provenance.
STATED = (
    "path",
    "sha256",
    "image_size",
    "channels",
    "resize",
    "on_bad_image",
    "on_duplicate",
    "train_images",
    "test_images",
    "subset_seed",
    "test_fraction",
    "split_seed",
)


def folder(name: str, options: Mapping[str, Any], scratch: Path) -> Store:
    """Any images of one's own: `train|test/<class>/*` in a folder or a tar archive.

    Classes are the folders in `train` in alphabetical order. With `test_fraction` the layout is
    `<class>/*`, and a stratified test split is drawn once from `split_seed`.

    Args:
        name: the data set's name in the config.
        options: as in `image_store`.
        scratch: as in `load_source`.
    """
    layout = class_alone if "test_fraction" in options else split_and_class
    return image_store(name, options, scratch, layout)


def split_and_class(path: PurePosixPath) -> tuple[str, str] | None:
    """The layout `.../train|test/<class>/<file>`."""
    if len(path.parts) >= 3 and path.parts[-3] in SPLITS:
        return path.parts[-3], path.parts[-2]
    return None


def class_alone(path: PurePosixPath) -> tuple[str, str] | None:
    """The layout `.../<class>/<file>`, all of it for training until a test split is drawn."""
    return ("train", path.parts[-2]) if len(path.parts) >= 2 else None


def no_remarks(names: Sequence[str]) -> Mapping[str, Any]:
    """Nothing more to say."""
    return {}


def image_store(
    name: str,
    options: Mapping[str, Any],
    scratch: Path,
    layout: Layout,
    classes: Sequence[str] | None = None,
    remarks: Remarks = no_remarks,
) -> Store:
    """A store of the image files of a folder or tar archive.

    Args:
        name: the data set's name in the config.
        options: `path` (folder or tar archive), `image_size` (pixels), `channels` (1 or 3),
            `resize` (`squash` or `crop`), `on_bad_image` (`fail` or `skip`), `on_duplicate`, for
            training images that are in the test split too (`fail`, `skip` or `keep`), `mean`,
            `std`; optional `sha256` (of the archive), `train_images`, `test_images` and
            `subset_seed` (a stratified subset), `test_fraction` and `split_seed`.
        scratch: as in `load_source`.
        layout: split and class of a file.
        classes: class names in the order of their labels; those found, sorted, by default.
        remarks: more to say in the provenance.

    Raises:
        ValueError: what is wrong, with the file's name.
    """
    path = Path(options["path"]).expanduser()
    check_sum(path, options.get("sha256"))
    entries, folders = _entries(path, layout)
    classes = classes or _found_classes(entries, folders, layout)
    _check_classes(path, entries, classes)
    entries = _subset(_held_out(entries, options), options)
    if not all(any(entry.split == split for entry in entries) for split in SPLITS):
        raise ValueError(f"{path}: no images in train or none in test; see `test_fraction`")
    reader = ImageReader(path, options, scratch)
    images = {s: reader.read([e for e in entries if e.split == s]) for s in SPLITS}
    images["train"], removed = _without_duplicates(path, images, options["on_duplicate"])
    names = [entry.name for s in SPLITS for entry in images[s].entries]
    return Store(
        name=name,
        classes=tuple(classes),
        mean=tuple(options["mean"]),
        std=tuple(options["std"]),
        train=_split(images["train"], classes),
        test=_split(images["test"], classes),
        provenance={
            "source": options["source"],
            **{key: options[key] for key in STATED if key in options},
            "id": "path of the file in the folder or archive",
            "decoder": f"Pillow {PIL.__version__}",
            "resized_images": reader.resized,
            "bad_images_skipped": len(reader.bad),
            "bad_images": reader.bad[:NAMED],
            "duplicates_across_splits": removed,
            "duplicates_within_splits": {s: images[s].repeats() for s in SPLITS},
            **remarks(names),
        },
    )


def check_sum(path: Path, expected: str | None) -> None:
    """Compare a file's SHA-256 with the expected one, if there is one.

    Raises:
        ValueError: it is another one, or there is no such file.
    """
    if expected is None:
        return
    if not path.is_file():
        raise ValueError(f"{path}: sha256 is given, but there is no such file")
    found = sha256_of(path)
    if found != expected:
        raise ValueError(
            f"{path}: wrong checksum, sha256 is {found} instead of {expected}: the file is damaged "
            "or another version; fetch it anew or correct sha256"
        )


def _entries(path: Path, layout: Layout) -> tuple[list[Entry], list[str]]:
    """Every image file that has a place in the layout, sorted; and the names of all folders."""
    listing = list_files(path)
    places = [(layout(PurePosixPath(name)), name) for name in listing.files]
    entries = [Entry(*place, name) for place, name in places if place is not None]
    if not entries:
        raise ValueError(f"{path}: no files in the layout that this source expects, see the docs")
    return sorted(entries, key=lambda e: (e.split, e.class_name, e.name)), listing.folders


def _found_classes(entries: Sequence[Entry], folders: Sequence[str], layout: Layout) -> list[str]:
    """Classes that have files or, though empty, folders in the training split, sorted."""
    places = {layout(PurePosixPath(name) / "file") for name in folders}
    empty = {place[1] for place in places if place is not None and place[0] == "train"}
    return sorted(empty | {entry.class_name for entry in entries if entry.split == "train"})


def _check_classes(path: Path, entries: Sequence[Entry], classes: Sequence[str]) -> None:
    """Every file must be of a class, and every class must have files in every split."""
    names = {split: {e.class_name for e in entries if e.split == split} for split in SPLITS}
    for split in SPLITS:
        for class_name in sorted(names[split] - set(classes)):
            where = "in test but not in train" if split == "test" else "unexpected"
            raise ValueError(
                f"{path}: class {class_name!r} is {where}; the classes are {', '.join(classes)}"
            )
    for split in SPLITS:
        for class_name in classes:
            # Without any test files, the test split is still to be drawn.
            if names[split] and class_name not in names[split]:
                raise ValueError(f"{path}: class {class_name!r} has no images in {split}")


def _held_out(entries: list[Entry], options: Mapping[str, Any]) -> list[Entry]:
    """Draw the test split where the data have none."""
    if "test_fraction" not in options:
        return entries
    names = [entry.class_name for entry in entries]
    count = round(options["test_fraction"] * len(entries))
    held_out = set(stratified_subset(names, count, options["split_seed"], "test_fraction").tolist())
    return [
        Entry("test" if i in held_out else "train", entry.class_name, entry.name)
        for i, entry in enumerate(entries)
    ]


def _subset(entries: list[Entry], options: Mapping[str, Any]) -> list[Entry]:
    """The stratified subset that the options ask for."""
    kept = []
    for split in SPLITS:
        members = [entry for entry in entries if entry.split == split]
        key = f"{split}_images"
        if key in options:
            names = [entry.class_name for entry in members]
            chosen = stratified_subset(names, options[key], options["subset_seed"], key)
            members = [members[i] for i in chosen]
        kept += members
    return kept


def _without_duplicates(
    path: Path, images: Mapping[str, DecodedImages], policy: str
) -> tuple[DecodedImages, int]:
    """The training images without those that are in the test split too, and how many those are."""
    train, test = images["train"], images["test"]
    seen = {digest: entry.name for digest, entry in zip(test.digests, test.entries, strict=True)}
    repeated = [i for i, digest in enumerate(train.digests) if digest in seen]
    if repeated and policy == "fail":
        first = repeated[0]
        raise ValueError(
            f"{path}: {train.entries[first].name} (train) and {seen[train.digests[first]]} (test) "
            f"are the same image, and {len(repeated) - 1} more such pairs; remove them, or set "
            "on_duplicate: skip (train without them) or keep"
        )
    if policy == "keep":
        return train, len(repeated)
    return train.keep(sorted(set(range(len(train.entries))) - set(repeated))), len(repeated)


def _split(images: DecodedImages, classes: Sequence[str]) -> Split:
    label = {class_name: i for i, class_name in enumerate(classes)}
    labels = [label[entry.class_name] for entry in images.entries]
    return Split(
        images.images, np.array(labels, np.int64), [entry.name for entry in images.entries]
    )
