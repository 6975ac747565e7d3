"""CIFAR-10: the official archive, or images in folders."""

import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np

from gradval.data.class_names import CIFAR10
from gradval.data.sources.archives import DAMAGE
from gradval.data.sources.folder import check_sum, image_store
from gradval.data.sources.image_set import FileSource
from gradval.data.sources.subset import stratified_subset
from gradval.data.store import Split, Store

# Options that mean something for the official data; the others are those of image files.
APPLIED = ("path", "sha256", "train_images", "test_images", "subset_seed")
IMAGE_SIZE, CHANNELS = 32, 3
CIFAR10_FILES = FileSource(classes=CIFAR10)
# Of the official archive, unpacked, with room to spare.
MAX_UNPACKED_BYTES = 2**29


def cifar10(name: str, options: Mapping[str, Any], scratch: Path) -> Store:
    """CIFAR-10 (Krizhevsky, 2009): 50,000 training and 10,000 test images, 32x32, ten classes.

    Args:
        name: the data set's name in the config.
        options: as in `read_image_set`. Without `path` the official python archive is downloaded by
            torchvision, which checks it; `path` may be that archive (`cifar-10-python.tar.gz`), the
            folder in it (`cifar-10-batches-py`), or a folder or tar archive of images in the layout
            `train|test/<class>/*`.
        scratch: as in `load_source`.

    Raises:
        ValueError: as `read_image_set`; or the official data are asked for in another size, or
            with a checksum where there is no file to compare.
    """
    from torchvision.datasets import CIFAR10 as Official

    given = options.get("path")
    if given is None:
        with tempfile.TemporaryDirectory(dir=_made(scratch)) as root:
            _download(Official, root)
            return _official_store(name, options, Official, root)
    path = Path(given).expanduser()
    if path.name == Official.filename and path.is_file():
        check_sum(path, options.get("sha256"))
        with tempfile.TemporaryDirectory(dir=_made(scratch)) as root:
            _extract(path, root)
            return _official_store(name, options, Official, root)
    if (path / Official.meta["filename"]).is_file():
        if path.name != Official.base_folder:
            raise ValueError(f"{path}: the folder must keep its name, {Official.base_folder}")
        return _official_store(name, options, Official, str(path.parent))
    return image_store(name, options, scratch, CIFAR10_FILES)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _download(official: Any, root: str) -> None:
    try:
        official(root, download=True)
    except (URLError, RuntimeError, ConnectionError, TimeoutError) as error:
        raise ValueError(
            f"{official.url} cannot be downloaded ({error}); fetch it where there is a connection "
            "and set `path` to it"
        ) from error


def _extract(path: Path, root: str) -> None:
    try:
        with tarfile.open(path) as archive:
            unpacked = 0
            for member in archive:
                unpacked += member.size
                if unpacked > MAX_UNPACKED_BYTES:
                    raise ValueError(f"{path}: larger than the official archive; fetch it anew")
                archive.extract(member, root, filter="data")
    except DAMAGE as error:
        raise ValueError(f"{path}: damaged archive ({error}); fetch it anew") from error


def _official_store(name: str, options: Mapping[str, Any], official: Any, root: str) -> Store:
    for key, official_value in (("image_size", IMAGE_SIZE), ("channels", CHANNELS)):
        if options.get(key, official_value) != official_value:
            raise ValueError(
                f"{key}: the official CIFAR-10 has {official_value}, not {options[key]}; only "
                "image files in folders are converted"
            )
    splits = {}
    for split in ("train", "test"):
        try:
            data = official(root, train=split == "train")
        except RuntimeError as error:
            raise ValueError(
                f"{options.get('path') or official.url}: a file is missing or its checksum is not "
                "torchvision's for CIFAR-10; fetch it anew"
            ) from error
        labels = np.array(data.targets, np.int64)
        kept = np.arange(len(labels))
        if f"{split}_images" in options:
            count = options[f"{split}_images"]
            kept = stratified_subset(labels, count, options["subset_seed"], f"{split}_images")
        splits[split] = Split(
            np.ascontiguousarray(data.data[kept].transpose(0, 3, 1, 2)),
            labels[kept],
            [f"{split}/{i:05d}" for i in kept],
        )
    return Store(
        name=name,
        classes=CIFAR10,
        mean=tuple(options["mean"]),
        std=tuple(options["std"]),
        train=splits["train"],
        test=splits["test"],
        provenance={
            "source": "cifar10",
            "origin": official.url,
            "md5": official.tgz_md5,
            **{key: options[key] for key in APPLIED if key in options},
            "id": "split/position in the official order",
        },
    )
