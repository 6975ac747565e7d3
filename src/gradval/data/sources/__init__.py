"""Data sources: each turns one kind of original data into the canonical store.

A source is a function of the data set's name, its block of the config and a folder for temporary
data; it returns a `Store` whose images may lie on disk but not yet in their final place.
`prepare_dataset` writes it. Register a new one in `SOURCES`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gradval.data.sources.cifar10 import CIFAR10_FILES, cifar10
from gradval.data.sources.cinic10 import CINIC10_FILES, cinic10
from gradval.data.sources.digits import digits
from gradval.data.sources.folder import FOLDER, folder
from gradval.data.sources.image_set import FileSource
from gradval.data.sources.own import own
from gradval.data.sources.pppd import PPPD_FILES, pppd
from gradval.data.store import Store, check_constants

Source = Callable[[str, Mapping[str, Any], Path], Store]

SOURCES: dict[str, Source] = {
    "digits": digits,
    "cifar10": cifar10,
    "cinic10": cinic10,
    "pppd": pppd,
    "folder": folder,
    "own": own,
}

# Of those that read image files, what they know of them beforehand.
FILE_SOURCES: dict[str, FileSource] = {
    "cifar10": CIFAR10_FILES,
    "cinic10": CINIC10_FILES,
    "pppd": PPPD_FILES,
    "folder": FOLDER,
}


def load_source(name: str, options: Mapping[str, Any], scratch: str | Path) -> Store:
    """Load the data set `name` from the source that `options["source"]` names.

    Args:
        name: key of the data set in the config; messages about it begin with `datasets.<name>`.
        options: its block of the config.
        scratch: folder for temporary data, on a disk with room for the whole data set; what is put
            there vanishes with the process, however it ends.

    Raises:
        ValueError: the source is unknown, or its data are missing or bad; one line names the file.
        OSError: the disk is full, or a file cannot be read.
    """
    source = options["source"]
    if source not in SOURCES:
        raise ValueError(
            f"datasets.{name}.source: unknown source {source!r}; known are {', '.join(SOURCES)}"
        )
    channels = options.get("channels", 1 if source == "digits" else 3)
    check_constants(f"datasets.{name}", options["mean"], options["std"], channels)
    try:
        return SOURCES[source](name, options, Path(scratch))
    except ValueError as error:
        raise ValueError(f"datasets.{name}: {error}") from error
