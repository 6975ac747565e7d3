"""The images of a tree, read: what was found, what prevents a store of them, and the store."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from gradval.data.groups import shared
from gradval.data.sources.image_reader import DecodedImages
from gradval.data.sources.layout import Entry
from gradval.data.store import SPLITS, Split, Store, check_store

# How many files and groups are named in the provenance and the log.
NAMED = 20
# Options that decide which images are read, and how: they belong into the provenance.
STATED = (
    "path",
    "sha256",
    "labels",
    "subfolders",
    "ignore",
    "group_pattern",
    "image_size",
    "channels",
    "resize",
    "transparency",
    "pixel_range",
    "on_bad_image",
    "on_duplicate",
    "train_images",
    "test_images",
    "subset_seed",
    "test_fraction",
    "split_seed",
)


def no_remarks(names: Sequence[str]) -> Mapping[str, Any]:
    """Nothing more to say."""
    return {}


@dataclass(frozen=True)
class FileSource:
    """What a source of image files knows beforehand.

    Attributes:
        classes: class names in the order of their labels; `None` for those found, sorted.
        class_of: class of a file, where it is not the name of its folder; it may raise a
            ValueError that names the file.
        group_pattern: tells the group from a file's name; names that it does not match are groups
            of their own. An option of the same name takes its place.
        remarks: more to say in the provenance, from the names of all images.
    """

    classes: tuple[str, ...] | None = None
    class_of: Callable[[Entry], str] | None = None
    group_pattern: str | None = None
    remarks: Callable[[Sequence[str]], Mapping[str, Any]] = no_remarks


@dataclass
class ImageSet:
    """What was read of a tree, before anything is decided about what is wrong.

    Attributes:
        options: of the data set.
        source: what its source knows.
        form: of its layout, in words.
        classes: class names, position = label.
        images: of each split.
        bad: files that are no readable images -> why.
        ignored: files that were not looked into -> why.
        modes: how many images have which pixel mode.
        resized: how many had another size.
        dark: 16-bit images that seem to use few of their bits.
        grouped_by: what tells the groups, in words; nothing if each sample is its own.
        ungrouped: how many images `grouped_by` tells nothing about.
    """

    options: Mapping[str, Any]
    source: FileSource
    form: str
    classes: tuple[str, ...]
    images: dict[str, DecodedImages]
    bad: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    modes: Mapping[str, int] = field(default_factory=dict)
    resized: int = 0
    dark: list[str] = field(default_factory=list)
    grouped_by: str = ""
    ungrouped: int = 0

    @property
    def path(self) -> Path:
        """Of the folder or archive."""
        return Path(self.options["path"]).expanduser()

    def across_splits(self) -> list[tuple[int, str]]:
        """Positions of training images that are in the test split too, and their names there."""
        test = self.images["test"]
        seen = {d: entry.name for d, entry in zip(test.digests, test.entries, strict=True)}
        train = enumerate(self.images["train"].digests)
        return [(i, seen[digest]) for i, digest in train if digest in seen]

    def with_other_labels(self) -> int:
        """How many images have the very pixels of one of another class."""
        classes = defaultdict(set)
        for digest, entry in self._pairs():
            classes[digest].add(entry.class_name)
        return sum(len(classes[digest]) > 1 for digest, _ in self._pairs())

    def _pairs(self) -> Iterator[tuple[bytes, Entry]]:
        for images in self.images.values():
            yield from zip(images.digests, images.entries, strict=True)

    def groups(self, split: str) -> list[str]:
        """The group of each image of a split; of those without, its own name."""
        return [entry.group or entry.name for entry in self.images[split].entries]

    def summary(self) -> dict[str, Any]:
        """What was found, as plain values."""
        counts = {
            split: Counter(entry.class_name for entry in images.entries)
            for split, images in self.images.items()
        }
        return {
            "path": str(self.path),
            "layout": self.form,
            "images": {s: {c: counts[s][c] for c in self.classes} for s in SPLITS},
            "resized": self.resized,
            "pixel_modes": dict(sorted(self.modes.items())),
            "dark_16_bit_images": self.dark,
            "repeated": {
                **{split: self.images[split].repeats() for split in SPLITS},
                "train_images_in_test": len(self.across_splits()),
                "with_other_labels": self.with_other_labels(),
            },
            "refused": self.bad,
            "ignored": dict(Counter(self.ignored.values())),
            "ignored_files": self.ignored,
            "groups": {
                "by": self.grouped_by,
                **{split: len(set(self.groups(split))) for split in SPLITS},
                "in_both": shared(self.groups("train"), self.groups("test")),
                "images_without": self.ungrouped,
            },
        }

    def check(self) -> None:
        """Stop if what was found must not become a store.

        Raises:
            ValueError: images that cannot be read, or are in both splits, and no option says what
                to do with them; one line that names the first.
        """
        if self.bad and self.options["on_bad_image"] == "fail":
            name, reason = next(iter(self.bad.items()))
            raise ValueError(
                f"{self.path}: {name} is not a readable image ({reason})"
                f"{_more(self.bad, 'such files')}; mend or remove it, or set on_bad_image: skip"
            )
        repeated = self.across_splits()
        if repeated and self.options["on_duplicate"] == "fail":
            first, other = repeated[0]
            raise ValueError(
                f"{self.path}: {self.images['train'].entries[first].name} (train) and {other} "
                f"(test) are the same image{_more(repeated, 'such pairs')}; remove them, or set "
                "on_duplicate: skip (train without them) or keep"
            )

    def store(self, name: str) -> Store:
        """The store of these images.

        Raises:
            ValueError: as `check` and `check_store`.
        """
        self.check()
        summary = self.summary()
        repeated = {i for i, _ in self.across_splits()}
        if repeated and self.options["on_duplicate"] == "skip":
            train = self.images["train"]
            kept = [i for i in range(len(train.entries)) if i not in repeated]
            self.images["train"] = train.keep(kept)
        names = [entry.name for s in SPLITS for entry in self.images[s].entries]
        store = Store(
            name=name,
            classes=self.classes,
            mean=tuple(self.options["mean"]),
            std=tuple(self.options["std"]),
            train=self._split("train"),
            test=self._split("test"),
            provenance=self._provenance(summary) | dict(self.source.remarks(names)),
        )
        check_store(store)
        return store

    def _provenance(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        options = self.options
        return {
            "source": options["source"],
            **{key: options[key] for key in STATED if key in options},
            "layout": self.form,
            "id": "path of the file in the folder or archive",
            "decoder": f"Pillow {PIL.__version__}",
            "pixel_modes": summary["pixel_modes"],
            "resized_images": self.resized,
            "dark_16_bit_images": len(self.dark),
            "bad_images_skipped": len(self.bad),
            "bad_images": _named(self.bad),
            "ignored": summary["ignored"],
            "ignored_files": _named(self.ignored),
            "duplicates_across_splits": summary["repeated"]["train_images_in_test"],
            "duplicates_within_splits": {s: summary["repeated"][s] for s in SPLITS},
            "duplicates_with_other_labels": summary["repeated"]["with_other_labels"],
            "grouped_by": self.grouped_by or "each image its own group",
            "groups_in_train_and_test": len(summary["groups"]["in_both"]),
        }

    def _split(self, split: str) -> Split:
        images = self.images[split]
        label = {class_name: i for i, class_name in enumerate(self.classes)}
        labels = [label[entry.class_name] for entry in images.entries]
        ids = [entry.name for entry in images.entries]
        return Split(images.images, np.array(labels, np.int64), ids, self.groups(split))


def describe(summary: Mapping[str, Any]) -> Iterator[str]:
    """A summary in lines for people."""
    yield f"{summary['path']}: {summary['layout']}"
    for split, counts in summary["images"].items():
        by_class = ", ".join(f"{name} {count}" for name, count in counts.items())
        yield f"{split}: {sum(counts.values())} images ({by_class})"
    modes = ", ".join(f"{mode} {count}" for mode, count in summary["pixel_modes"].items())
    yield f"pixel modes: {modes}; resized: {summary['resized']}"
    if summary["dark_16_bit_images"]:
        dark = summary["dark_16_bit_images"]
        yield (
            f"dark: {len(dark)} images of 16 bits have no value above 4095, such as {dark[0]}; if "
            "they hold 12 bits, set pixel_range: [0, 4095]"
        )
    repeated = summary["repeated"]
    yield (
        f"repeated: {repeated['train']} within train, {repeated['test']} within test, "
        f"{repeated['train_images_in_test']} of train are in test too, "
        f"{repeated['with_other_labels']} have the pixels of an image of another class"
    )
    yield f"refused: {_files(summary['refused'])}" + _listed(summary["refused"])
    reasons = ", ".join(f"{reason}: {count}" for reason, count in summary["ignored"].items())
    yield f"ignored: {_files(summary['ignored_files'])}" + (f" ({reasons})" if reasons else "")
    yield from _describe_groups(summary["groups"])


def _describe_groups(groups: Mapping[str, Any]) -> Iterator[str]:
    if not groups["by"]:
        yield "groups: none, each image is its own"
        return
    yield (
        f"groups by {groups['by']}: {groups['train']} in train, {groups['test']} in test"
        + (f"; {groups['images_without']} images are their own" if groups["images_without"] else "")
    )
    both = groups["in_both"]
    if both:
        more = ", ..." if len(both) > NAMED else ""
        yield f"groups in train and test: {len(both)} ({', '.join(both[:NAMED])}{more})"


def _files(found: Mapping[str, str]) -> str:
    return "1 file" if len(found) == 1 else f"{len(found)} files"


def _named(files: Mapping[str, str]) -> list[str]:
    return [f"{name}: {reason}" for name, reason in files.items()][:NAMED]


def _listed(files: Mapping[str, str]) -> str:
    if not files:
        return ""
    return f" ({'; '.join(_named(files))}{'; ...' if len(files) > NAMED else ''})"


def _more(found: Sequence[Any] | Mapping[str, Any], what: str) -> str:
    return f", and {len(found) - 1} more {what}" if len(found) > 1 else ""
