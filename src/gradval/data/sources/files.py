"""Files of a folder or an archive alike: listed first, then read one at a time."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from gradval.data.sources import archives, directory
from gradval.data.sources.listing import File, Listing, gather


def list_files(path: Path) -> Listing:
    """All visible files and folders of a folder or archive.

    Args:
        path: a folder, a zip archive, or a tar archive, compressed or not.

    Raises:
        ValueError: there is nothing at `path`, it is neither a folder nor an archive, it is
            damaged, or a name in it is refused; one line that names the file.
        OSError: a folder cannot be read.
    """
    return gather(path, directory.members(path) if path.is_dir() else archives.members(path))


def read_files(path: Path, wanted: Mapping[str, File]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each of `wanted`, one at a time, in the order that reads fastest.

    Contents are read whole: whoever asks for a file has looked at its size.

    Raises:
        ValueError: the archive is damaged; the message names it and the file.
        OSError: a file cannot be read.
    """
    return directory.read(path, wanted) if path.is_dir() else archives.read(path, wanted)
