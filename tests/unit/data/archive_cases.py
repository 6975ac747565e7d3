"""Tar and zip archives, damaged and hostile ones too."""

import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from folder_cases import (
    add,
    case,
    image_of,
    load,
    measured,
    pack,
    refused,
    splits,
    whole,
)
from PIL import Image


@case("a tar, also compressed by gzip, bzip2 or xz; a zip", "read")
def _(root: Path) -> None:
    path = splits(root / "data")
    for kind in ("", "gz", "bz2", "xz"):
        with tarfile.open(root / f"x.{kind}", f"w:{kind}") as tar:  # type: ignore[call-overload]
            tar.add(path, "top")
        whole(load(root / f"x.{kind}"))
    with zipfile.ZipFile(root / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in path.rglob("*.png"):
            archive.write(file, f"top/{file.relative_to(path)}")
    store = whole(load(root / "x.zip"))
    np.testing.assert_array_equal(
        image_of(store, "top/train/cat/0.png"), image_of(load(path), "train/cat/0.png")
    )


@case("a zip with backslashes, as some programs of Windows write", "read")
def _(root: Path) -> None:
    path = splits(root / "data")
    with zipfile.ZipFile(root / "x.zip", "w") as archive:
        for file in path.rglob("*.png"):
            archive.writestr(str(file.relative_to(path)).replace("/", "\\"), file.read_bytes())
    assert "train/cat/0.png" in whole(load(root / "x.zip")).train.ids


@case("an encrypted zip; 7-zip, RAR, Zstandard", "refused: unpack it")
def _(root: Path) -> None:
    with zipfile.ZipFile(root / "x.zip", "w") as archive:
        archive.writestr("train/cat/0.png", b"x")
    content = bytearray((root / "x.zip").read_bytes())
    for magic, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(magic) + offset] |= 1
    (root / "x.zip").write_bytes(content)
    refused(root / "x.zip", "train/cat/0.png is encrypted; unpack it")
    for magic, name in (
        (b"7z\xbc\xaf\x27\x1c", "7-zip"),
        (b"Rar!\x1a\7", "RAR"),
        (b"\x28\xb5\x2f\xfd", "Zst"),
    ):
        (root / "x").write_bytes(magic + bytes(2000))
        refused(root / "x", name, "unpack it")


@case("a damaged or cut archive", "refused")
def _(root: Path) -> None:
    archive = root / "x.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in splits(root / "data").rglob("*.png"):
            packed.write(file, file.relative_to(root / "data"))
    content = bytearray(archive.read_bytes())
    content[80] ^= 1
    archive.write_bytes(content)
    refused(archive, "x.zip: damaged archive at ")
    archive.write_bytes(content[:-30])
    refused(archive, "x.zip: damaged archive")
    (root / "x.tar").write_bytes(pack(root / "data", root / "y.tar").read_bytes()[:5000])
    refused(root / "x.tar", "x.tar: damaged archive")
    (root / "empty.tar").write_bytes(b"")
    refused(root / "empty.tar", "neither a folder nor a tar or zip archive")


@case("two tars joined into one file", "refused")
def _(root: Path) -> None:
    a, b = (pack(splits(root / name), root / f"{name}.tar", name) for name in "ab")
    (root / "x.tar").write_bytes(a.read_bytes() + b.read_bytes())
    refused(root / "x.tar", "more follows behind its")


@case("a file twice in an archive", "refused")
def _(root: Path) -> None:
    archive = pack(splits(root / "data"), root / "x.tar")
    with tarfile.open(archive, "a") as tar:
        tar.add(root / "data/train/cat/0.png", "train/cat/0.png")
    refused(archive, "train/cat/0.png is in the archive twice")


@case("names in a tar that begin with `/` or have `..`", "read without the `/`; refused")
def _(root: Path) -> None:
    path = splits(root / "data")
    with tarfile.open(root / "x.tar", "w") as tar:
        for file in path.rglob("*.png"):
            add(tar, f"/home/{file.relative_to(path)}", file.read_bytes())
    assert "home/train/cat/0.png" in whole(load(root / "x.tar")).train.ids
    with tarfile.open(root / "x.tar", "a") as tar:
        add(tar, "../../etc/0.png", b"x")
    refused(root / "x.tar", "../../etc/0.png leads out of the archive")


@case("sparse files in a tar", "read")
def _(root: Path) -> None:
    path = splits(root / "data")
    with open(path / "train/cat/9.bmp", "wb") as file:
        buffer = io.BytesIO()
        Image.fromarray(np.zeros((200, 200, 3), np.uint8)).save(buffer, "BMP")
        file.write(buffer.getvalue()[:54])
        file.truncate(len(buffer.getvalue()))
    subprocess.run(["tar", "-S", "-cf", root / "x.tar", "-C", path, "."], check=True)
    assert os.path.getsize(root / "x.tar") < 100_000
    assert not image_of(whole(load(root / "x.tar"), 9), "train/cat/9.bmp").any()


@case("a bomb: a compressed tar with a file of 257 MiB", "refused at once, in little memory")
def _(root: Path) -> None:
    class Zeros(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return bytes(size)

    with tarfile.open(root / "x.tar.gz", "w:gz", compresslevel=1) as tar:
        info = tarfile.TarInfo("train/cat/0.png")
        info.size = 2**28 + 2**20
        tar.addfile(info, Zeros())  # type: ignore[arg-type]
    message, memory = measured(
        f"load_source('x', OPTIONS | {{'path': {str(root / 'x.tar.gz')!r}}}, Path({str(root)!r}))"
    )
    assert "train/cat/0.png has 269,484,032 bytes, more than" in message and memory < 50


@case("a bomb: a tar with a name of 1 GiB", "refused, in little memory")
def _(root: Path) -> None:
    with tarfile.open(root / "x.tar", "w") as tar:
        info = tarfile.TarInfo("././@LongLink")
        info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**30
        tar.addfile(info)
    with open(root / "x.tar", "r+b") as file:
        file.truncate(2**30 + 4096)
    message, memory = measured(
        f"load_source('x', OPTIONS | {{'path': {str(root / 'x.tar')!r}}}, Path({str(root)!r}))"
    )
    assert "a header of more than 2 MiB" in message and memory < 50


@case("a bomb: a zip with a file of 257 MiB", "refused, in little memory")
def _(root: Path) -> None:
    with zipfile.ZipFile(root / "x.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in splits(root / "data").rglob("*.png"):
            archive.write(file, file.relative_to(root / "data"))
        with archive.open("train/cat/9.png", "w", force_zip64=True) as packed:
            for _ in range(257):
                packed.write(bytes(2**20))
    message, memory = measured(
        f"load_source('x', OPTIONS | {{'path': {str(root / 'x.zip')!r}}}, Path({str(root)!r}))"
    )
    assert "train/cat/9.png is not a readable image (larger than 256 MiB)" in message
    assert memory < 50


@case("a bomb: a PNG of 200 million pixels", "refused, in little memory")
def _(root: Path) -> None:
    path = splits(root / "data")
    image = Image.new("1", (14_200, 14_200))
    image.save(path / "train/cat/9.png")
    assert os.path.getsize(path / "train/cat/9.png") < 500_000
    message, memory = measured(
        f"load_source('x', OPTIONS | {{'path': {str(path)!r}}}, Path({str(root)!r}))"
    )
    assert "train/cat/9.png is not a readable image (more than 67,108,864 pixels)" in message
    assert memory < 50
