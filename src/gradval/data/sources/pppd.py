"""Paediatric pneumonia X-rays: normal, bacterial or viral."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from gradval.data.class_names import PPPD
from gradval.data.sources.folder import image_store, split_and_class
from gradval.data.store import Store

KINDS = {"bacteria": "bacterial", "virus": "viral"}


def pppd(name: str, options: Mapping[str, Any], scratch: Path) -> Store:
    """The chest X-rays of Kermany, Zhang and Goldbaum (2018), doi:10.17632/rscbjbr9sj.2.

    Layout `train|test/NORMAL|PNEUMONIA/*`, below a folder `chest_xray` or not; the kind of
    pneumonia is in the file name (`person1_bacteria_2.jpeg`). The 16 images of Kaggle's `val` are
    left out.

    Args:
        name: the data set's name in the config.
        options: as in `image_store`.
        scratch: as in `load_source`.
    """
    return image_store(name, options, scratch, layout, PPPD)


def layout(path: PurePosixPath) -> tuple[str, str] | None:
    """Split and kind of an X-ray.

    Raises:
        ValueError: the folder or the name tells no kind.
    """
    place = split_and_class(path)
    if place is None:
        return None
    split, finding = place
    if finding == "NORMAL":
        return split, "normal"
    if finding != "PNEUMONIA":
        raise ValueError(f"{path}: the folder must be NORMAL or PNEUMONIA, not {finding}")
    for word, kind in KINDS.items():
        if f"_{word}" in path.name:
            return split, kind
    raise ValueError(f"{path}: the name must say bacteria or virus, as in person1_virus_2.jpeg")
