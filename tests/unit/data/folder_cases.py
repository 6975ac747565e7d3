"""Rows of the table of cases of files, folders and archives: their registry and what they share."""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gradval.data.sources import load_source
from gradval.data.store import Store

OPTIONS = {
    "source": "folder",
    "image_size": 8,
    "channels": 3,
    "resize": "squash",
    "on_bad_image": "fail",
    "on_duplicate": "fail",
    "mean": [0.5] * 3,
    "std": [0.25] * 3,
    "subset_seed": 0,
}
GREY = {"channels": 1, "mean": [0.5], "std": [0.25]}
DRAWN = {"test_fraction": 0.25, "split_seed": 0}
CASES: dict[str, tuple[str, Callable[[Path], None]]] = {}


def case(name: str, outcome: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Register a row of the table: a function that makes the case below a path and checks it."""

    def register(check: Callable[[Path], None]) -> Callable[[Path], None]:
        assert name not in CASES
        CASES[name] = outcome, check
        return check

    return register


def load(path: Path, **options: object) -> Store:
    scratch = path.parent / "scratch"
    return load_source("mine", OPTIONS | {"path": str(path)} | options, scratch)


def refused(path: Path, *words: str, **options: object) -> None:
    """Loading must fail with one line that has all of `words`."""
    with pytest.raises(ValueError) as error:
        load(path, **options)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def pixels(seed: int, size: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def save(path: Path, array: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def classes(
    root: Path, count: int = 4, seed: int = 0, names: tuple[str, ...] = ("cat", "dog")
) -> Path:
    """`root/<class>/<i>.png`, all different."""
    for place, name in enumerate(names):
        for i in range(count):
            save(root / name / f"{i}.png", pixels(seed + 100 * place + i))
    return root


def splits(root: Path) -> Path:
    """Four training and two test images of each of two classes."""
    classes(root / "train", 4)
    classes(root / "test", 2, 1000)
    return root


def pack(root: Path, archive: Path, top: str = "") -> Path:
    with tarfile.open(archive, "w") as tar:
        tar.add(root, top or ".")
    return archive


def add(tar: tarfile.TarFile, name: str, content: bytes = b"", **fields: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(content))


def whole(store: Store, train: int = 8, test: int = 4) -> Store:
    assert (len(store.train), len(store.test)) == (train, test)
    assert store.classes == ("cat", "dog")
    return store


def image_of(store: Store, name: str) -> np.ndarray:
    return np.asarray(store.train.images[list(store.train.ids).index(name)])


def measured(program: str) -> tuple[str, float]:
    """The error of a program that is to fail, and the MiB that it took beyond its imports."""
    code = f"""
import resource
from pathlib import Path
from gradval.data.sources import load_source
import gradval.data.sources.folder
OPTIONS = {OPTIONS!r}
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
try:
    {program}
except ValueError as error:
    print(error, peak() - before, sep="|")
"""
    source = str(Path(__file__).parents[3] / "src")
    environment = os.environ | {"PYTHONPATH": source}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    message, memory = done.stdout.strip().rsplit("|", 1)
    return message, float(memory)


def ramp() -> np.ndarray:
    """8 x 8, from 0 to 224."""
    return np.add.outer(np.arange(8), np.arange(8)) * 16


def signed_tiff(path: Path, values: np.ndarray, kind: type) -> None:
    """A TIFF of signed integers; Pillow writes 16 bits as if they had no sign."""
    image = Image.fromarray(values.astype(np.uint16 if kind is np.int16 else kind))
    image.save(path, tiffinfo={339: 2})
