"""Files of a folder or a tar archive, listed first and read one at a time."""

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# What reading a damaged archive raises, compressed or not.
DAMAGE = (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True)
class Listing:
    """What lies in a folder or archive; names are relative and with slashes.

    Attributes:
        files: in the order in which they can be read.
        folders: in no particular order.
    """

    files: list[str]
    folders: list[str]


def list_files(path: Path) -> Listing:
    """All visible files and folders below a folder or in a tar archive.

    Whatever has a part that begins with a dot (editors, operating systems) is left out.

    Args:
        path: a folder, or a tar archive, compressed or not.

    Raises:
        ValueError: there is nothing at `path`, it is neither a folder nor a tar archive, or the
            archive is damaged.
    """
    if path.is_dir():
        found = [(p.relative_to(path).as_posix(), p.is_dir()) for p in sorted(path.rglob("*"))]
    else:
        with _open_archive(path) as archive:
            try:
                found = [(_clean(m.name), m.isdir()) for m in archive if m.isfile() or m.isdir()]
                _check_end(archive)
            except DAMAGE as error:
                raise ValueError(f"{path}: damaged tar archive ({error})") from error
    visible = [(name, is_folder) for name, is_folder in found if _visible(name)]
    return Listing(
        files=[name for name, is_folder in visible if not is_folder],
        folders=[name for name, is_folder in visible if is_folder],
    )


def read_files(path: Path, names: set[str]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each of `names`, one at a time, in the order of `list_files`.

    Raises:
        ValueError: the archive is damaged; the message names it and the file.
    """
    if path.is_dir():
        for name in sorted(names):
            yield name, (path / name).read_bytes()
        return
    name = "its beginning"
    with _open_archive(path) as archive:
        try:
            for member in archive:
                name = _clean(member.name)
                if member.isfile() and name in names:
                    file = archive.extractfile(member)
                    assert file is not None
                    yield name, file.read()
        except DAMAGE as error:
            raise ValueError(f"{path}: damaged tar archive at {name} ({error})") from error


def _open_archive(path: Path) -> tarfile.TarFile:
    if not path.is_file():
        raise ValueError(f"{path}: no such file or folder; put the data there or correct `path`")
    try:
        return tarfile.open(path)
    except DAMAGE as error:
        # Of each kind of compression a line of its own follows.
        reason = str(error).splitlines()[0].rstrip(":")
        raise ValueError(
            f"{path}: neither a folder nor a tar archive, or a damaged one ({reason})"
        ) from error


def _check_end(archive: tarfile.TarFile) -> None:
    """Read on to the end of an archive of which all members were listed.

    A damaged header looks like the end to `tarfile`, and the checksum of a compressed archive is
    behind all that it lists.

    Raises:
        tarfile.ReadError: the members do not end in a block of zeros.
    """
    stream = archive.fileobj
    assert stream is not None
    stream.seek(archive.offset)
    block = stream.read(tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE or block.strip(b"\0"):
        raise tarfile.ReadError(f"it breaks off after {len(archive.getnames())} entries")
    while stream.read(2**20):
        pass


def _clean(name: str) -> str:
    return str(PurePosixPath(name))


def _visible(name: str) -> bool:
    return not any(part.startswith(".") for part in PurePosixPath(name).parts)
