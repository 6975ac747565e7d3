"""The canonical store: one data set as memory-mappable arrays with ids, checksums and provenance.

Every job after `prepare_dataset` reads images from here and nowhere else. A store is a folder of

- `{train,test}_images.npy`: uint8 `(N, C, H, W)`,
- `{train,test}_labels.npy`: int64 `(N,)`, positions in `classes`,
- `samples.parquet`: `split, index, id, label, group`, one row an image; `id` leads back to the
  source, `group` is what samples have in common, such as a patient,
- `dataset.json`: class names, counts, normalisation constants, SHA-256 of each array, provenance.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gradval.data.groups import shared
from gradval.runtime.files import atomic_path, read_json, write_json
from gradval.study.names import STORE_FILES

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Split:
    """One split of a data set.

    Attributes:
        images: uint8 `(N, C, H, W)`, usually memory-mapped.
        labels: int64 `(N,)`, each in `[0, number of classes)`.
        ids: one string an image that leads back to its source.
        groups: one string an image, the same for those of one group (such as a patient); by
            default each image is its own, under its id.
    """

    images: np.ndarray
    labels: np.ndarray
    ids: Sequence[str]
    groups: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not len(self.groups):
            object.__setattr__(self, "groups", self.ids)

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, indices: np.ndarray) -> "Split":
        """The samples at `indices` (int64, any order); copies only what it keeps."""
        ids, groups = ([names[i] for i in indices] for names in (self.ids, self.groups))
        return Split(self.images[indices], self.labels[indices], ids, groups)


@dataclass(frozen=True)
class Store:
    """An opened canonical store.

    Attributes:
        name: name of the data set in the config.
        classes: class names, position = label.
        mean, std: public per-channel constants in `[0, 1]` units with which images are normalised.
        train, test: the two splits.
        provenance: what the source reported about itself.
    """

    name: str
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train: Split
    test: Split
    provenance: Mapping[str, Any]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    def class_index(self, name: str) -> int:
        """Label of the class called `name`.

        Raises:
            ValueError: there is no such class.
        """
        if name not in self.classes:
            raise ValueError(
                f"data set {self.name} has no class {name!r}; it has {', '.join(self.classes)}"
            )
        return self.classes.index(name)


def write_store(store: Store, folder: str | Path) -> None:
    """Check `store` and write it to `folder`, each file atomically, `dataset.json` last.

    Raises:
        ValueError: the splits contradict each other or the classes; the message says how.
    """
    check_store(store)
    folder = Path(folder)
    checksums = {}
    tables = []
    for split_name in SPLITS:
        split: Split = getattr(store, split_name)
        for kind, array in (("images", split.images), ("labels", split.labels)):
            path = folder / f"{split_name}_{kind}.npy"
            with atomic_path(path) as temporary:
                np.save(temporary, array)
            checksums[path.name] = sha256_of(path)
        tables.append(
            pd.DataFrame(
                {
                    "split": split_name,
                    "index": np.arange(len(split)),
                    "id": list(split.ids),
                    "label": split.labels,
                    "group": list(split.groups),
                }
            )
        )
    with atomic_path(folder / "samples.parquet") as temporary:
        pd.concat(tables, ignore_index=True).to_parquet(temporary)
    write_json(
        folder / "dataset.json",
        {
            "name": store.name,
            "classes": list(store.classes),
            "image_shape": list(store.image_shape),
            "mean": list(store.mean),
            "std": list(store.std),
            "images": {name: len(getattr(store, name)) for name in SPLITS},
            "images_by_class": {name: class_counts(store, name) for name in SPLITS},
            "groups": _group_counts(store),
            "sha256": checksums,
            "provenance": dict(store.provenance),
        },
    )


def open_store(folder: str | Path) -> Store:
    """Open a store with memory-mapped images.

    Raises:
        ValueError: a file is missing or is not what `write_store` wrote; the message names it.
    """
    folder = Path(folder)
    for name in STORE_FILES:
        if not (folder / name).is_file():
            raise ValueError(f"{folder / name}: missing; run the target that prepares the data set")
    description = read_json(folder / "dataset.json")
    samples = _read(pd.read_parquet, folder / "samples.parquet")
    splits = {}
    for name in SPLITS:
        members = samples[samples["split"] == name]
        splits[name] = Split(
            images=_read(partial(np.load, mmap_mode="r"), folder / f"{name}_images.npy"),
            labels=_read(np.load, folder / f"{name}_labels.npy"),
            ids=members["id"].tolist(),
            # Stores of earlier versions have none.
            groups=members.get("group", members["id"]).tolist(),
        )
    store = Store(
        name=description["name"],
        classes=tuple(description["classes"]),
        mean=tuple(description["mean"]),
        std=tuple(description["std"]),
        train=splits["train"],
        test=splits["test"],
        provenance=description["provenance"],
    )
    check_store(store)
    return store


def read_groups(samples: str | Path, split: str = "train") -> list[str]:
    """The group of each sample of a split, from `samples.parquet` of a store alone.

    Raises:
        ValueError: the file is damaged; the message names it.
    """
    table = _read(pd.read_parquet, Path(samples))
    groups: list[str] = table.loc[table["split"] == split, "group"].tolist()
    return groups


def class_counts(store: Store, split: str) -> dict[str, int]:
    """How many images a split (`train` or `test`) has of each class, by its name."""
    counts = np.bincount(getattr(store, split).labels, minlength=len(store.classes))
    return dict(zip(store.classes, counts.tolist(), strict=True))


def _group_counts(store: Store) -> dict[str, int]:
    groups = {name: getattr(store, name).groups for name in SPLITS}
    counts = {name: len(set(groups[name])) for name in SPLITS}
    return counts | {"in_both": len(shared(groups["train"], groups["test"]))}


def _read(reader: Callable[[Path], Any], path: Path) -> Any:
    """Read a file of a store; what is wrong with it is said with its name."""
    try:
        return reader(path)
    except (ValueError, OSError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path}: damaged ({reason}); delete it to prepare it anew") from error


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file as a hexadecimal string."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_array(array: np.ndarray) -> str:
    """SHA-256 of an array's values in row-major order as a hexadecimal string."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def check_store(store: Store) -> None:
    """Check what every store must be.

    Raises:
        ValueError: the splits contradict each other, the classes or the constants, or there are
            fewer than two classes; the message says how.
    """
    if len(store.classes) < 2:
        raise ValueError(
            f"data set {store.name}: only one class, {', '.join(store.classes)}; at least two are "
            "needed"
        )
    for split_name in SPLITS:
        split: Split = getattr(store, split_name)
        where = f"data set {store.name}, {split_name} split"
        if split.images.dtype != np.uint8 or split.images.ndim != 4:
            raise ValueError(f"{where}: images must be uint8 (N, C, H, W)")
        if split.images.shape[1:] != store.train.images.shape[1:]:
            raise ValueError(f"{where}: images differ in shape from those of the train split")
        lengths = {len(v) for v in (split.images, split.labels, split.ids, split.groups)}
        if len(lengths) > 1:
            raise ValueError(
                f"{where}: {len(split.images)} images, {len(split.labels)} labels, "
                f"{len(split.ids)} ids and {len(split.groups)} groups"
            )
        counts = np.bincount(split.labels, minlength=len(store.classes))
        if len(counts) > len(store.classes):
            raise ValueError(f"{where}: a label lies outside the {len(store.classes)} classes")
        if (counts == 0).any():
            empty = store.classes[int(np.argmin(counts))]
            raise ValueError(f"{where}: class {empty!r} has no images")
    where = f"data set {store.name}"
    check_constants(where, store.mean, store.std, store.train.images.shape[1])


def check_constants(where: str, mean: Sequence[float], std: Sequence[float], channels: int) -> None:
    """Check public constants: one a channel, in units of 0 to 1.

    Args:
        where: beginning of the message.
        mean, std: of each channel.
        channels: of the images.

    Raises:
        ValueError: there are more or fewer, or they are in other units.
    """
    for key, values in (("mean", mean), ("std", std)):
        if len(values) != channels:
            raise ValueError(
                f"{where}: {key} has {len(values)} values, but the images have {channels} "
                "channel(s)"
            )
        wrong = [v for v in values if not 0 <= v <= 1 or (key == "std" and v == 0)]
        if wrong:
            raise ValueError(
                f"{where}: {key} is in units of 0 (black) to 1 (white), so {wrong[0]:g} cannot be "
                "right; divide constants of 0 to 255 by 255"
            )
