"""The canonical store: one data set as memory-mappable arrays with ids, checksums and provenance.

Every job after `prepare_dataset` reads images from here and nowhere else. A store is a folder of

- `{train,test}_images.npy`: uint8 `(N, C, H, W)`,
- `{train,test}_labels.npy`: int64 `(N,)`, positions in `classes`,
- `samples.parquet`: `split, index, id, label`, one row an image; `id` leads back to the source,
- `dataset.json`: class names, normalisation constants, SHA-256 of each array, provenance.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

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
    """

    images: np.ndarray
    labels: np.ndarray
    ids: Sequence[str]

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, indices: np.ndarray) -> "Split":
        """The samples at `indices` (int64, any order); copies only what it keeps."""
        ids = [self.ids[i] for i in indices]
        return Split(self.images[indices], self.labels[indices], ids)


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
    _check(store)
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
        ids = samples.loc[samples["split"] == name, "id"].tolist()
        splits[name] = Split(
            images=_read(partial(np.load, mmap_mode="r"), folder / f"{name}_images.npy"),
            labels=_read(np.load, folder / f"{name}_labels.npy"),
            ids=ids,
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
    _check(store)
    return store


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


def _check(store: Store) -> None:
    for split_name in SPLITS:
        split: Split = getattr(store, split_name)
        where = f"data set {store.name}, {split_name} split"
        if split.images.dtype != np.uint8 or split.images.ndim != 4:
            raise ValueError(f"{where}: images must be uint8 (N, C, H, W)")
        if split.images.shape[1:] != store.train.images.shape[1:]:
            raise ValueError(f"{where}: images differ in shape from those of the train split")
        if not len(split.images) == len(split.labels) == len(split.ids):
            raise ValueError(
                f"{where}: {len(split.images)} images, {len(split.labels)} labels and "
                f"{len(split.ids)} ids"
            )
        counts = np.bincount(split.labels, minlength=len(store.classes))
        if len(counts) > len(store.classes):
            raise ValueError(f"{where}: a label lies outside the {len(store.classes)} classes")
        if (counts == 0).any():
            empty = store.classes[int(np.argmin(counts))]
            raise ValueError(f"{where}: class {empty!r} has no images")
    channels = store.train.images.shape[1]
    for key in ("mean", "std"):
        if len(getattr(store, key)) != channels:
            raise ValueError(
                f"data set {store.name}: {key} has {len(getattr(store, key))} values, but the "
                f"images have {channels} channel(s)"
            )
