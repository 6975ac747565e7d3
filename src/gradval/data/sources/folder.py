"""Labelled image files: found by the layout of their folders or by a table, then read."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gradval.data.groups import compile_pattern, draw_groups, group_of_name
from gradval.data.sources.files import list_files
from gradval.data.sources.image_reader import ImageReader
from gradval.data.sources.image_set import FileSource, ImageSet, describe
from gradval.data.sources.labels import place_by_labels
from gradval.data.sources.layout import Entry, FolderLayout, Placement
from gradval.data.sources.listing import Listing
from gradval.data.sources.modes import PixelRules
from gradval.data.sources.subset import stratified_subset
from gradval.data.store import SPLITS, Store, sha256_of

FOLDER = FileSource()


def folder(name: str, options: Mapping[str, Any], scratch: Path) -> Store:
    """Any images of one's own, in a folder, a tar or a zip archive.

    The layout is `train|test/<class>/*`; with `test_fraction` it is `<class>/*`, and a stratified
    test split is drawn once from `split_seed`; with `labels` a table says it all. Classes are in
    alphabetical order.

    Args:
        name: the data set's name in the config.
        options: as in `read_image_set`, with `mean` and `std`.
        scratch: as in `load_source`.
    """
    return image_store(name, options, scratch, FOLDER)


def image_store(name: str, options: Mapping[str, Any], scratch: Path, source: FileSource) -> Store:
    """A store of the image files of a folder or archive; what was found is logged.

    Raises:
        ValueError: as `read_image_set` and `ImageSet.store`.
    """
    images = read_image_set(options, scratch, source)
    for line in describe(images.summary()):
        logging.info(line)
    return images.store(name)


def read_image_set(
    options: Mapping[str, Any],
    scratch: Path,
    source: FileSource = FOLDER,
    otherwise: Mapping[str, Any] | None = None,
) -> ImageSet:
    """Find and read the image files of a folder or archive.

    Args:
        options: `path` (folder, tar or zip archive), `image_size` (pixels), `channels` (1 or 3),
            `resize` (`squash` or `crop`), `on_bad_image` (`fail` or `skip`), `on_duplicate`, for
            training images that are in the test split too (`fail`, `skip` or `keep`); optional
            `sha256` (of the archive), `labels` (a table, `place_by_labels`), `subfolders` and
            `ignore` (`FolderLayout`), `group_pattern`, `transparency` and `pixel_range`
            (`PixelRules`), `train_images`, `test_images` and `subset_seed` (a stratified subset),
            `test_fraction` and `split_seed`.
        scratch: folder on a disk with room for the decoded images.
        source: what is known of the data beforehand.
        otherwise: options of which those for a test split are used if the data have none.

    Raises:
        ValueError: what is wrong with the layout or the archive; one line that names the file.
            What is wrong with single images is left to `ImageSet.check`.
    """
    path = Path(options["path"]).expanduser()
    check_sum(path, options.get("sha256"))
    listing = list_files(path)
    placement, options = _place(path, listing, options, source, otherwise)
    entries = classified(path, placement.entries, source)
    classes = source.classes or _found_classes(entries, placement)
    _check_classes(path, entries, classes)
    entries, ungrouped = grouped(path, entries, options, source)
    entries = _subset(_held_out(path, entries, options), options)
    if not all(any(entry.split == split for entry in entries) for split in SPLITS):
        raise ValueError(f"{path}: no images in train or none in test; see `test_fraction`")
    if "test_fraction" in options:
        _check_classes(path, entries, classes)
    reader = ImageReader(
        path, listing.files, options["image_size"], options["resize"], pixel_rules(options), scratch
    )
    images = {s: reader.read([e for e in entries if e.split == s]) for s in SPLITS}
    return ImageSet(
        options,
        source,
        placement.form,
        tuple(classes),
        images,
        reader.bad,
        placement.ignored,
        reader.modes,
        reader.resized,
        reader.dark,
        grouped_by(entries, options, source),
        ungrouped,
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


def pixel_rules(options: Mapping[str, Any]) -> PixelRules:
    """How pixels are made of files.

    Raises:
        ValueError: `pixel_range` is empty.
    """
    limits = options.get("pixel_range")
    if limits is not None and not limits[0] < limits[1]:
        raise ValueError(f"pixel_range: {limits[0]} must be below {limits[1]}")
    return PixelRules(
        options["channels"],
        options.get("transparency", "white"),
        None if limits is None else (float(limits[0]), float(limits[1])),
    )


def _place(
    path: Path,
    listing: Listing,
    options: Mapping[str, Any],
    source: FileSource,
    otherwise: Mapping[str, Any] | None,
) -> tuple[Placement, Mapping[str, Any]]:
    """Place every file, and say by which options: with `otherwise` where a test split needs it."""
    layout = FolderLayout(
        path, listing, options.get("subfolders", "fail"), options.get("ignore", ())
    )
    draws = "test_fraction" in options
    if "labels" in options:
        placement = place_by_labels(path, listing, options["labels"])
        if draws and any(entry.split == "test" for entry in placement.entries):
            raise ValueError(f"{options['labels']}: has a test split: leave out test_fraction")
        if otherwise and not any(entry.split == "test" for entry in placement.entries):
            options = {**otherwise, **options}
        return placement, options
    if otherwise and not draws and source.classes is None and not layout.has_splits():
        draws, options = True, {**otherwise, **options}
    return layout.place(split=not draws), options


def classified(path: Path, entries: list[Entry], source: FileSource) -> list[Entry]:
    """The entries with the classes that a source tells, sorted.

    Raises:
        ValueError: the source cannot tell one.
    """
    if source.class_of is None:
        return entries
    try:
        found = [replace(entry, class_name=source.class_of(entry)) for entry in entries]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return sorted(found, key=lambda e: (e.split, e.class_name, e.name))


def _found_classes(entries: list[Entry], placement: Placement) -> list[str]:
    """Classes that have files or, though empty, folders in the training split, sorted."""
    return sorted({e.class_name for e in entries if e.split == "train"} | set(placement.empty))


def _check_classes(path: Path, entries: list[Entry], classes: list[str] | tuple[str, ...]) -> None:
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
    if len(classes) < 2:
        raise ValueError(f"{path}: only one class, {classes[0]!r}; at least two are needed")


def grouped(
    path: Path, entries: list[Entry], options: Mapping[str, Any], source: FileSource
) -> tuple[list[Entry], int]:
    """The entries with their groups, and how many have none that is told."""
    text = options.get("group_pattern", source.group_pattern)
    if text is not None:
        tell = _teller(path, text, must_match="group_pattern" in options)
        entries = [e if e.group else replace(e, group=tell(e.name)) for e in entries]
    return entries, sum(entry.group is None for entry in entries)


def _teller(path: Path, text: str, must_match: bool) -> Callable[[str], str | None]:
    pattern = compile_pattern(text)

    def tell(name: str) -> str | None:
        group = group_of_name(pattern, name)
        if must_match and not group:
            raise ValueError(f"{path}: group_pattern {text!r} tells no group of {name}")
        return group or None

    return tell


def grouped_by(entries: list[Entry], options: Mapping[str, Any], source: FileSource) -> str:
    """What tells the groups of the entries, in words; nothing if there are none."""
    if all(entry.group is None for entry in entries):
        return ""
    if "labels" in options and "group_pattern" not in options:
        return f"the table {options['labels']}"
    if options.get("subfolders") == "group":
        return "folder"
    return f"the file's name, {options.get('group_pattern', source.group_pattern)}"


def _held_out(path: Path, entries: list[Entry], options: Mapping[str, Any]) -> list[Entry]:
    """Draw the test split where the data have none; groups stay together."""
    if "test_fraction" not in options:
        return entries
    names = [entry.class_name for entry in entries]
    fraction, seed = options["test_fraction"], options["split_seed"]
    if all(entry.group is None for entry in entries):
        count = round(fraction * len(entries))
        drawn = stratified_subset(names, count, seed, "test_fraction")
    else:
        groups = [entry.group or entry.name for entry in entries]
        drawn = draw_groups(names, groups, fraction, seed, "test_fraction")
    held_out = set(drawn.tolist())
    return [
        replace(entry, split="test" if i in held_out else "train")
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
