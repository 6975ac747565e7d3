"""Files of a folder: links are followed, whatever is no file or folder is refused."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from gradval.data.sources.listing import File, Member, clutter


def members(root: Path) -> Iterator[Member]:
    """Every entry below `root`; nothing below clutter.

    Raises:
        OSError: a folder cannot be read.
    """
    return _walk(root, "", (os.path.realpath(root),))


def read(root: Path, wanted: Mapping[str, File]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each of `wanted`, sorted."""
    for name in sorted(wanted):
        with open(os.path.join(root, wanted[name].stored), "rb") as file:
            yield name, file.read()


def _walk(root: Path, prefix: str, above: tuple[str, ...]) -> Iterator[Member]:
    """Entries of one folder and below it; `above` are the real paths of it and its parents."""
    for entry in sorted(os.scandir(os.path.join(root, prefix)), key=lambda e: e.name):
        name = prefix + entry.name
        if entry.is_dir():
            real = os.path.realpath(entry.path)
            if any(os.path.commonpath((real, folder)) == real for folder in above):
                yield Member(name, "unreadable", reason="a link to a folder that contains it")
                continue
            yield Member(name, "folder")
            if not clutter(entry.name):
                yield from _walk(root, f"{name}/", (*above, real))
        elif entry.is_file():
            yield Member(name, "file", entry.stat().st_size)
        elif entry.is_symlink():
            yield Member(name, "unreadable", reason="a link to nothing")
        else:
            yield Member(name, "unreadable", reason="neither a file nor a folder")
