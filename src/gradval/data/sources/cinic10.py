"""CINIC-10: CIFAR-10 and down-sampled ImageNet images of the same ten classes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from gradval.data.class_names import CIFAR10
from gradval.data.sources.folder import image_store
from gradval.data.sources.image_set import FileSource
from gradval.data.store import Store


def cinic10(name: str, options: Mapping[str, Any], scratch: Path) -> Store:
    """CINIC-10 (Darlow, Crowley, Antoniou and Storkey, 2018, arXiv:1810.03505).

    Layout `train|valid|test/<class>/*.png`, 90,000 images each, as in the official archive
    (doi:10.7488/ds/2448). Training images are those of `train`; `valid` is left out.

    Args:
        name: the data set's name in the config.
        options: as in `read_image_set`.
        scratch: as in `load_source`.
    """
    return image_store(name, options, scratch, CINIC10_FILES)


def count_origins(names: Sequence[str]) -> Mapping[str, Any]:
    """How many images come from CIFAR-10 and from ImageNet, as their names tell."""
    origins = Counter(
        "cifar10" if PurePosixPath(name).name.startswith("cifar10-") else "imagenet"
        for name in names
    )
    return {"images_by_origin": dict(sorted(origins.items()))}


CINIC10_FILES = FileSource(classes=CIFAR10, remarks=count_origins)
