"""Room on disk for the images of a data set while it is prepared."""

import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def scratch_array(shape: tuple[int, ...], folder: Path) -> NDArray[np.uint8]:
    """A writable uint8 array on disk that vanishes with the process, however it ends.

    Args:
        shape: of the array.
        folder: any folder on the disk to use.

    Raises:
        OSError: the disk has no room for it.
    """
    size = int(np.prod(shape))
    if size == 0:
        return np.empty(shape, np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            # All at once: on a disk that fills up later, writing to the map would kill the process.
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            text = f"{error.strerror}: {size / 2**20:.0f} MiB are needed for images"
            raise OSError(error.errno, text, str(folder)) from error
        return np.memmap(file, np.uint8, "r+", shape=shape)
