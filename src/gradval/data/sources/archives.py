"""Files of a tar or zip archive, without unpacking it: streamed, and with caps on what is read."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from gradval.data.sources.listing import MAX_ARCHIVE_BYTES, MAX_FILE_BYTES, File, Member, printable

# What reading a damaged archive raises, compressed or not.
DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
)
CHUNK = 2**20
# Of a tar archive's own structures (long names, attributes); also of one read.
MAX_HEADER_BYTES = 2 * CHUNK
# Of the dictionary that an xz archive asks for.
MAX_XZ_BYTES = 2**28
COMPRESSIONS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
    b"]\0\0": lzma.open,
}
NOT_READ = {
    b"7z\xbc\xaf\x27\x1c": "a 7-zip",
    b"Rar!": "a RAR",
    b"\x28\xb5\x2f\xfd": "a Zstandard",
}


def members(path: Path) -> Iterator[Member]:
    """Every entry of an archive.

    Raises:
        ValueError: nothing is there, it is no tar or zip archive, or a damaged or hostile one.
    """
    with _named_damage(path, "its beginning"):
        total = 0
        for member in _zip_members(path) if _is_zip(path) else _tar_members(path):
            total += member.size
            if total > MAX_ARCHIVE_BYTES:
                raise ValueError(f"{path}: unpacks to more than {MAX_ARCHIVE_BYTES >> 30} GiB")
            yield member


def read(path: Path, wanted: Mapping[str, File]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each of `wanted`, in the archive's order.

    A file that several names lead to is given for each.

    Raises:
        ValueError: the archive is damaged; the message names it and the file.
    """
    names: dict[str, list[str]] = {}
    for name, file in wanted.items():
        names.setdefault(file.stored, []).append(name)
    contents = _zip_contents if _is_zip(path) else _tar_contents
    for stored, content in contents(path, names):
        for name in names[stored]:
            yield name, content


def _is_zip(path: Path) -> bool:
    return _beginning(path).startswith((b"PK\3\4", b"PK\5\6"))


def _beginning(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError(f"{path}: no such file or folder; put the data there or correct `path`")
    with path.open("rb") as file:
        return file.read(8)


@contextmanager
def _named_damage(path: Path, where: str) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path}: damaged archive at {where} ({reason})") from error


# --- tar ---


class _Capped(io.RawIOBase):
    """A stream of which no more than `MAX_HEADER_BYTES` are read at once.

    `tarfile` reads long names and attributes whole, however long an archive says they are.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of more than {MAX_HEADER_BYTES >> 20} MiB")
        return self.stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.stream.seek(offset, whence)

    def tell(self) -> int:
        return self.stream.tell()

    def close(self) -> None:
        self.stream.close()
        super().close()


def _compression(path: Path) -> Callable[..., Any] | None:
    start = _beginning(path)
    for magic, kind in NOT_READ.items():
        if start.startswith(magic):
            raise ValueError(f"{path}: {kind} archive, which is not read; unpack it")
    return next((o for magic, o in COMPRESSIONS.items() if start.startswith(magic)), None)


@contextmanager
def _open_tar(path: Path) -> Iterator[tarfile.TarFile]:
    opener = _compression(path)
    if opener is lzma.open:
        with path.open("rb") as file:
            lzma.LZMADecompressor(memlimit=MAX_XZ_BYTES).decompress(file.read(CHUNK), 1)
    with _Capped((opener or open)(path, "rb")) as stream:
        try:
            archive = tarfile.TarFile(fileobj=stream)
        except tarfile.ReadError as error:
            reason = str(error).splitlines()[0].rstrip(":")
            raise ValueError(
                f"{path}: neither a folder nor a tar or zip archive, or a damaged one ({reason})"
            ) from error
        with archive:
            yield archive


def _entries(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Entries in their order, without the list of all that `tarfile` would keep in memory."""
    while (entry := archive.next()) is not None:
        yield entry
        archive.members.clear()  # type: ignore[attr-defined]


def _tar_members(path: Path) -> Iterator[Member]:
    compressed = _compression(path) is not None
    count = 0
    with _open_tar(path) as archive:
        for entry in _entries(archive):
            count += 1
            if compressed and entry.size > MAX_FILE_BYTES:
                # To skip it would mean to decompress it.
                raise ValueError(
                    f"{path}: {printable(entry.name)} has {entry.size:,} bytes, more than the "
                    f"{MAX_FILE_BYTES:,} that a file of a compressed archive may have; unpack it"
                )
            yield _tar_member(entry)
        _check_end(archive, count)


def _tar_member(entry: tarfile.TarInfo) -> Member:
    if entry.isfile():
        return Member(entry.name, "file", entry.size)
    if entry.isdir():
        return Member(entry.name, "folder")
    if entry.issym():
        return Member(entry.name, "link", target=entry.linkname)
    if entry.islnk():
        return Member(entry.name, "hard link", target=entry.linkname)
    return Member(entry.name, "unreadable", reason="neither a file nor a folder")


def _check_end(archive: tarfile.TarFile, count: int) -> None:
    """Read on to the end of an archive of which all members were listed.

    A damaged header looks like the end to `tarfile`, and so does the end of the first of two
    archives in one file; the checksum of a compressed archive is behind all that it lists.

    Raises:
        tarfile.ReadError: the members do not end in zeros that last to the end of the file.
    """
    stream = archive.fileobj
    assert stream is not None
    stream.seek(archive.offset)
    block = stream.read(tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE or block.strip(b"\0"):
        raise tarfile.ReadError(f"it breaks off after {count} entries")
    while block := stream.read(CHUNK):
        if block.strip(b"\0"):
            raise tarfile.ReadError(f"more follows behind its {count} entries")


def _tar_contents(path: Path, names: Mapping[str, list[str]]) -> Iterator[tuple[str, bytes]]:
    with _named_damage(path, "a file to be read"), _open_tar(path) as archive:
        for entry in _entries(archive):
            if entry.isfile() and entry.name in names:
                with _named_damage(path, printable(entry.name)):
                    file = archive.extractfile(entry)
                    assert file is not None
                    content = _read(file)
                yield entry.name, content


# --- zip ---


def _zip_members(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.flag_bits & 1:
                raise ValueError(f"{path}: {printable(info.filename)} is encrypted; unpack it")
            yield _zip_member(archive, info)


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    name = info.filename
    # Some programs of Windows write backslashes, against the standard.
    path = name if "/" in name else name.replace("\\", "/")
    if path.endswith("/"):
        return Member(name, "folder", path=path)
    if stat.S_ISLNK(info.external_attr >> 16):
        with archive.open(info) as file:
            return Member(name, "link", target=file.read(4096).decode(errors="replace"), path=path)
    return Member(name, "file", info.file_size, path=path)


def _zip_contents(path: Path, names: Mapping[str, list[str]]) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename in names:
                with _named_damage(path, printable(info.filename)), archive.open(info) as file:
                    content = _read(file)
                yield info.filename, content


def _read(file: IO[bytes]) -> bytes:
    """The content, in pieces that `_Capped` lets pass."""
    return b"".join(iter(lambda: file.read(CHUNK), b""))
