"""Where the images of a tree are: one layout for all of it, and a reason for every other file.

Three forms: `train|test/<class>/<file>`, `<class>/<file>`, and a table of labels
(`gradval.data.sources.labels`), each below any number of top folders. Of every file of a listing it
is decided that it is read, left out for a reason, or refused by name.
"""

import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from gradval.data.sources.listing import Listing
from gradval.data.store import SPLITS

TRAIN_AND_TEST = "train|test/<class>/<file>"
CLASSES_ALONE = "<class>/<file>"
BY_OPTION = "by `ignore`"
# Folders that many data sets have beside train and test.
VALIDATION = ("val", "valid", "validation", "dev")
# A file with such a name outside the layout would be missed.
IMAGES = {
    *(".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".ico", ".j2c", ".j2k", ".jfif"),
    *(".jp2", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".mpo", ".pbm", ".pcx", ".pfm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".psd", ".qoi", ".raw", ".sgi", ".tga", ".tif", ".tiff", ".webp"),
    *(".dcm", ".dicom", ".mha", ".nii", ".npy", ".nrrd", ".svs"),
}
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")


@dataclass(frozen=True)
class Entry:
    """One image file: its split (`train` or `test`), class, name in the tree, and group if any."""

    split: str
    class_name: str
    name: str
    group: str | None = None


@dataclass
class Placement:
    """What becomes of the files of a tree.

    Attributes:
        form: of the layout, in words.
        entries: the files that are read as images.
        ignored: the others -> why they are left out.
        empty: class folders of the training split without any file.
    """

    form: str
    entries: list[Entry] = field(default_factory=list)
    ignored: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)


@dataclass
class FolderLayout:
    """Places files by the folders they are in.

    Attributes:
        path: of the tree, for messages.
        listing: what is there.
        subfolders: what images in a folder within a class are: `fail` to refuse them, `join` to
            take them for images of the class, `group` for one group (such as a patient) a folder.
        ignore: patterns of names (`*` matches slashes too) that are left out.
    """

    path: Path
    listing: Listing
    subfolders: str = "fail"
    ignore: Iterable[str] = ()

    def __post_init__(self) -> None:
        files = self.listing.files
        self.images = {name for name in files if looks_like_image(name)}
        # Of images without suffixes.
        self.images = self.images or {n for n in files if not posixpath.splitext(n)[1]}

    def has_splits(self) -> bool:
        """Whether there are folders `train` or `test` with class folders in them."""
        return bool(self._split_roots(self.listing.files))

    def place(self, split: bool) -> Placement:
        """Place every file.

        Args:
            split: whether the form is `train|test/<class>/<file>`, or else `<class>/<file>`.

        Raises:
            ValueError: the tree has no such layout, or twice, or an image lies outside it.
        """
        ignored = dict(self.listing.ignored)
        names = []
        for name in self.listing.files:
            if any(fnmatchcase(name, pattern) for pattern in self.ignore):
                ignored[name] = BY_OPTION
            else:
                names.append(name)
        placement = Placement(TRAIN_AND_TEST if split else CLASSES_ALONE, ignored=ignored)
        if split:
            self._place_splits(names, placement)
        else:
            self._place_classes(names, placement)
        _check_case(self.path, [e.class_name for e in placement.entries] + placement.empty)
        placement.entries.sort(key=lambda e: (e.split, e.class_name, e.name))
        return placement

    def _place_splits(self, names: list[str], placement: Placement) -> None:
        root = self._split_root(names)
        folders = {split: posixpath.join(root, split) for split in SPLITS}
        inside: dict[str, list[str]] = {split: [] for split in SPLITS}
        for name in names:
            split = next((s for s, f in folders.items() if name.startswith(f + "/")), None)
            if split is not None:
                inside[split].append(name)
                continue
            beside = name.removeprefix(f"{root}/" if root else "").split("/")[0].casefold()
            if beside in VALIDATION:
                placement.ignored[name] = f"in {beside}, which is neither train nor test"
            else:
                self._leave_out(name, placement, f"outside {TRAIN_AND_TEST}")
        for split in SPLITS:
            self._place_below(folders[split], split, inside[split], placement)
        placement.empty = self._empty(folders["train"], placement)

    def _place_classes(self, names: list[str], placement: Placement) -> None:
        root = self._class_root(names)
        below = _folders_below(root, names)
        if not _folders_below(root, self.images):
            raise ValueError(f"{self.path}: {self._no_layout(names)}")
        if set(SPLITS) <= below:
            raise ValueError(
                f"{self.path}: has the folders train and test already: leave out test_fraction"
            )
        prefix = f"{root}/" if root else ""
        for name in names:
            if not name.startswith(prefix):
                self._leave_out(name, placement, f"outside {CLASSES_ALONE}")
        inside = [name for name in names if name.startswith(prefix)]
        self._place_below(root, "train", inside, placement)
        placement.empty = self._empty(root, placement)

    def _place_below(self, root: str, split: str, names: list[str], placement: Placement) -> None:
        """Place what lies in the class folders of `root`."""
        deeper = defaultdict(set)
        for name in names:
            class_name, *within = posixpath.relpath(name, root or ".").split("/")
            if not within:
                self._leave_out(name, placement, "in no class folder")
            elif len(within) == 1:
                placement.entries.append(Entry(split, class_name, name))
            elif self.subfolders == "fail" and name not in self.images:
                placement.ignored[name] = _why_no_image(name)
            else:
                deeper[class_name].add(within[0])
                group = "/".join(within[:-1]) if self.subfolders == "group" else None
                placement.entries.append(Entry(split, class_name, name, group))
        self._check_deeper(root, _folders_below(root, names), deeper)

    def _check_deeper(self, root: str, classes: set[str], deeper: Mapping[str, set[str]]) -> None:
        for class_name, folders in sorted(deeper.items()):
            place = posixpath.join(root, class_name)
            if len(folders & classes) >= min(2, len(classes)):
                raise ValueError(self._two_data_sets(root, place))
            if self.subfolders == "fail":
                raise ValueError(
                    f"{self.path}: {place}/{min(folders)} is a folder within class {class_name!r}; "
                    "set subfolders: join to read its images as of that class, or subfolders: "
                    "group if each such folder is one group, such as a patient"
                )

    def _split_root(self, names: list[str]) -> str:
        """The folder that holds `train` and `test`; there must be one only."""
        roots = self._split_roots(names)
        if len(roots) > 1:
            first, second, *_ = sorted(roots, key=lambda root: (root.count("/"), root))
            raise ValueError(self._two_data_sets(first, second))
        if not roots:
            raise ValueError(f"{self.path}: {self._no_layout(names)}")
        return roots.pop()

    def _split_roots(self, names: Iterable[str]) -> set[str]:
        roots = set()
        for name in filter(self.images.__contains__, names):
            parts = name.split("/")
            at = next((i for i, part in enumerate(parts[:-2]) if part in SPLITS), None)
            if at is not None:
                roots.add("/".join(parts[:at]))
        return roots

    def _class_root(self, names: list[str]) -> str:
        """The folder that holds the class folders: the first with images right below it, or more
        than one folder of images."""
        images = [name for name in names if name in self.images]
        if not images:
            raise ValueError(f"{self.path}: {self._no_layout(names)}")
        root = ""
        while True:
            below = _folders_below(root, images)
            if len(below) != 1:
                return root
            deeper = posixpath.join(root, *below)
            if any(posixpath.dirname(name) in (root, deeper) for name in images):
                return root
            root = deeper

    def _empty(self, root: str, placement: Placement) -> list[str]:
        """Folders where classes are expected, without anything that is read."""
        prefix = f"{root}/" if root else ""
        by_option = [name for name, why in placement.ignored.items() if why == BY_OPTION]
        found = {f for f in self.listing.folders if posixpath.dirname(f) == root}
        found -= {prefix + folder for folder in _folders_below(root, by_option)}
        names = {posixpath.basename(folder) for folder in found}
        return sorted(names - {e.class_name for e in placement.entries if e.split == "train"})

    def _leave_out(self, name: str, placement: Placement, where: str) -> None:
        if name in self.images:
            raise ValueError(
                f"{self.path}: {name} lies {where}; move or remove it, or list it under `ignore`"
            )
        placement.ignored[name] = _why_no_image(name)

    def _two_data_sets(self, first: str, second: str) -> str:
        return (
            f"{self.path}: holds two data sets, {self.path / first} and {self.path / second}; set "
            f"`path` to one of them, or leave one out by `ignore`, such as {second}/*"
        )

    def _no_layout(self, names: list[str]) -> str:
        """What was found in place of a layout, and what is expected."""
        expected = f"expected are {TRAIN_AND_TEST}, or {CLASSES_ALONE} with test_fraction and "
        expected += "split_seed, or a table of labels (`labels`)"
        images = [name for name in names if name in self.images]
        if not images:
            packed = next((n for n in names if n.lower().endswith(ARCHIVES)), None)
            hint = f", but {packed}: unpack it" if packed else ""
            return f"no images in it{hint}; {expected}"
        root = self._class_root(names)
        below = sorted(_folders_below(root, images))
        for folder in below:
            if folder.casefold() in SPLITS:
                return f"the folder {folder} must be named {folder.casefold()}; {expected}"
        table = next((n for n in names if posixpath.basename(n) == "labels.csv"), None)
        if table is not None:
            return f"no folders train and test, but {table}: set labels: labels.csv"
        if not below:
            return f"images, but no folders, such as {images[0]}; {expected}"
        shown = ", ".join(below[:5]) + (", ..." if len(below) > 5 else "")
        return f"no folders train and test with class folders in them, but {shown}; {expected}"


def looks_like_image(name: str) -> bool:
    """Whether a file is an image by the suffix of its name, whoever can read it."""
    return posixpath.splitext(name)[1].lower() in IMAGES


def _why_no_image(name: str) -> str:
    packed = name.lower().endswith(ARCHIVES)
    return "an archive, which is not opened" if packed else "no image by its name"


def _folders_below(root: str, names: Iterable[str]) -> set[str]:
    """Folders right below `root` that hold any of `names`."""
    prefix = f"{root}/" if root else ""
    rest = (name.removeprefix(prefix).split("/") for name in names if name.startswith(prefix))
    return {parts[0] for parts in rest if len(parts) > 1}


def _check_case(path: Path, classes: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in sorted(set(classes)):
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            raise ValueError(
                f"{path}: the classes {other!r} and {name!r} differ only in how they are written; "
                "give both one name, or different ones"
            )
