"""Paediatric pneumonia X-rays: normal, bacterial or viral."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradval.data.class_names import PPPD
from gradval.data.sources.folder import image_store
from gradval.data.sources.image_set import FileSource
from gradval.data.sources.layout import Entry
from gradval.data.store import Store

KINDS = {"bacteria": "bacterial", "virus": "viral"}
# The names tell apart whose X-rays they are. The number alone does not: person1 of the bacterial
# training images and person1 of the viral test images are two people, as far as anyone knows.
PATIENT = r"((?:NORMAL2-)?IM-\d+|person\d+_(?:bacteria|virus))"


def pppd(name: str, options: Mapping[str, Any], scratch: Path) -> Store:
    """The chest X-rays of Kermany, Zhang and Goldbaum (2018), doi:10.17632/rscbjbr9sj.2.

    Layout `train|test/NORMAL|PNEUMONIA/*`, below a folder `chest_xray` or not; the kind of
    pneumonia is in the file name (`person1_bacteria_2.jpeg`), and so is the patient, the group of
    an image. The 16 images of Kaggle's `val` are left out.

    Args:
        name: the data set's name in the config.
        options: as in `read_image_set`.
        scratch: as in `load_source`.
    """
    return image_store(name, options, scratch, PPPD_FILES)


def kind(entry: Entry) -> str:
    """Kind of an X-ray.

    Raises:
        ValueError: the folder or the name tells no kind.
    """
    if entry.class_name == "NORMAL":
        return "normal"
    if entry.class_name != "PNEUMONIA":
        raise ValueError(
            f"{entry.name}: the folder must be NORMAL or PNEUMONIA, not {entry.class_name}"
        )
    for word, name in KINDS.items():
        if f"_{word}" in entry.name.rsplit("/", 1)[-1]:
            return name
    raise ValueError(
        f"{entry.name}: the name must say bacteria or virus, as in person1_virus_2.jpeg"
    )


PPPD_FILES = FileSource(classes=PPPD, class_of=kind, group_pattern=PATIENT)
