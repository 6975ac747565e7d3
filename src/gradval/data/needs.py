"""What later stages need of a data set, checked before anything is spent on it."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gradval.runtime.files import read_json


@dataclass(frozen=True)
class Need:
    """Training images that something selects.

    Attributes:
        asked_by: the key of the config that asks, for messages.
        samples: how many training images there must be, at least 1.
        class_name: of the class that they must belong to, `None` for any.
        size_key: the key that says how many.
    """

    asked_by: str
    samples: int
    class_name: str | None = None
    size_key: str = "selection.k"


def check_needs(dataset: str, counts: Mapping[str, int], needs: Iterable[Need]) -> None:
    """Check a data set against what is going to be asked of it.

    Args:
        dataset: its name.
        counts: class name -> number of training images.
        needs: in any order.

    Raises:
        ValueError: there is no such class, or there are too few images; one line that names the
            key and what the data set has.
    """
    for need in needs:
        name = need.class_name
        if name is not None and name not in counts:
            near = difflib.get_close_matches(name, counts, 1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise ValueError(
                f"{need.asked_by}: data set {dataset} has no class {name!r}{hint} Its classes are "
                f"{', '.join(counts)}"
            )
        available = sum(counts.values()) if name is None else counts[name]
        if available < need.samples:
            where = "" if name is None else f" of class {name!r}"
            raise ValueError(
                f"{need.size_key}: {need.samples} images{where} are selected for {need.asked_by}, "
                f"but data set {dataset} has {available} for training; set it to {available} or "
                "less"
            )


def check_prepared(folder: Path, needs: Iterable[Need]) -> None:
    """Check a data set that is prepared already, if it is.

    Args:
        folder: of its store, named after it.
        needs: as in `check_needs`.

    Raises:
        ValueError: as `check_needs`.
    """
    if (folder / "dataset.json").is_file():
        # Stores of earlier versions do not tell.
        counts = read_json(folder / "dataset.json").get("images_by_class")
        if counts is not None:
            check_needs(folder.name, counts["train"], needs)
