"""Files, folders and archives as people have them: the table of docs/data_cases.md, row by row."""

import io
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gradval.data.sources import load_source
from gradval.data.store import Store

OPTIONS = {
    "source": "folder",
    "image_size": 8,
    "channels": 3,
    "resize": "squash",
    "on_bad_image": "fail",
    "on_duplicate": "fail",
    "mean": [0.5] * 3,
    "std": [0.25] * 3,
    "subset_seed": 0,
}
GREY = {"channels": 1, "mean": [0.5], "std": [0.25]}
DRAWN = {"test_fraction": 0.25, "split_seed": 0}
DOCUMENT = Path(__file__).parents[3] / "docs" / "data_cases.md"

CASES: dict[str, tuple[str, Callable[[Path], None]]] = {}


def case(name: str, outcome: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Register a row of the table: a function that makes the case below a path and checks it."""

    def register(check: Callable[[Path], None]) -> Callable[[Path], None]:
        assert name not in CASES
        CASES[name] = outcome, check
        return check

    return register


def test_the_document_lists_every_case_with_its_outcome() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", DOCUMENT.read_text(encoding="utf-8"), re.M)
    assert rows[2:] == [(name, outcome) for name, (outcome, _) in CASES.items()]


# Rows are added below, so that the parameters are known only to `pytest_generate_tests`.
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", CASES)


def test_case(name: str, tmp_path: Path) -> None:
    CASES[name][1](tmp_path)


def load(path: Path, **options: object) -> Store:
    scratch = path.parent / "scratch"
    return load_source("mine", OPTIONS | {"path": str(path)} | options, scratch)


def refused(path: Path, *words: str, **options: object) -> None:
    """Loading must fail with one line that has all of `words`."""
    with pytest.raises(ValueError) as error:
        load(path, **options)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def pixels(seed: int, size: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def save(path: Path, array: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def classes(
    root: Path, count: int = 4, seed: int = 0, names: tuple[str, ...] = ("cat", "dog")
) -> Path:
    """`root/<class>/<i>.png`, all different."""
    for place, name in enumerate(names):
        for i in range(count):
            save(root / name / f"{i}.png", pixels(seed + 100 * place + i))
    return root


def splits(root: Path) -> Path:
    """Four training and two test images of each of two classes."""
    classes(root / "train", 4)
    classes(root / "test", 2, 1000)
    return root


def pack(root: Path, archive: Path, top: str = "") -> Path:
    with tarfile.open(archive, "w") as tar:
        tar.add(root, top or ".")
    return archive


def add(tar: tarfile.TarFile, name: str, content: bytes = b"", **fields: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(content))


def whole(store: Store, train: int = 8, test: int = 4) -> Store:
    assert (len(store.train), len(store.test)) == (train, test)
    assert store.classes == ("cat", "dog")
    return store


def image_of(store: Store, name: str) -> np.ndarray:
    return np.asarray(store.train.images[list(store.train.ids).index(name)])


# --- Layout ---


@case("`train\\|test/<class>/<file>`, below any number of folders", "read")
def _(root: Path) -> None:
    whole(load(splits(root / "data/a/b").parents[1]))


@case("`<class>/<file>` with `test_fraction`, in a top folder or not", "read")
def _(root: Path) -> None:
    classes(root / "mydata")
    for path in (root / "mydata", pack(root / "mydata", root / "a.tar", "mydata")):
        whole(load(path, **DRAWN), 6, 2)
    classes(root / "two/mydata")
    whole(load(root / "two", **DRAWN), 6, 2)


@case("`<class>/<file>` without `test_fraction`", "refused: what to set")
def _(root: Path) -> None:
    path = classes(root / "data")
    refused(path, "no folders train and test", "cat, dog", "test_fraction", "split_seed")


@case("`train` and `test` with `test_fraction`", "refused: leave it out")
def _(root: Path) -> None:
    refused(splits(root / "data"), "train and test already", "test_fraction", **DRAWN)


@case("`Train` and `Test`", "refused: how to name them")
def _(root: Path) -> None:
    classes(root / "data/Train"), classes(root / "data/Test", 2, 1000)
    refused(root / "data", "Test must be named test")


@case("a folder that contains itself", "refused, both named; or one is left out by `ignore`")
def _(root: Path) -> None:
    splits(root / "x"), splits(root / "x/x")
    refused(root / "x", f"{root}/x and {root}/x/x;", "`path`")
    whole(load(root / "x", ignore=["x/*"]))
    classes(root / "y", seed=5000), classes(root / "y/y", seed=6000)
    for options in ({}, {"subfolders": "join"}):
        refused(root / "y", f"{root}/y and {root}/y/y;", **DRAWN, **options)


@case("a folder within a class", "refused; read by `subfolders`, which may make it a group")
def _(root: Path) -> None:
    path = splits(root / "data")
    for i in range(2):
        os.renames(path / f"train/cat/{i}.png", path / f"train/cat/persian/{i}.png")
    refused(path, "train/cat/persian", "within class 'cat'", "subfolders: join")
    assert "train/cat/persian/1.png" in whole(load(path, subfolders="join")).train.ids
    groups = whole(load(path, subfolders="group")).train.groups
    assert list(groups).count("persian") == 2 and len(set(groups)) == 7


@case("an image beside the class folders", "refused; or left out by `ignore`")
def _(root: Path) -> None:
    path = splits(root / "data")
    save(path / "train/stray.JPG", pixels(7))
    refused(path, "train/stray.JPG", "in no class folder")
    save(path / "other/stray.png", pixels(8))
    refused(path, "other/stray.png", "outside train|test", ignore=["train/stray*"])
    store = whole(load(path, ignore=["train/stray*", "other/*"]))
    assert store.provenance["ignored"] == {"by `ignore`": 2}


@case("`val`, `valid`, `validation`, `dev` beside `train` and `test`", "ignored, counted")
def _(root: Path) -> None:
    path = splits(root / "data")
    classes(path / "val", 3, 3000)
    assert whole(load(path)).provenance["ignored"] == {"in val, which is neither train nor test": 6}


@case("README, LICENSE, tables, scripts outside the class folders", "ignored, counted")
def _(root: Path) -> None:
    path = splits(root / "data")
    for name in ("README", "LICENSE.md", "train/list.csv", "docs/a.pdf", "train/cat/sub/a.txt"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text("text")
    store = whole(load(path))
    assert store.provenance["ignored"] == {"no image by its name": 5}
    assert "docs/a.pdf: no image by its name" in store.provenance["ignored_files"]


@case("an archive within, outside the class folders", "ignored, counted")
def _(root: Path) -> None:
    path = splits(root / "data")
    pack(path / "train", path / "train.tar")
    assert whole(load(path)).provenance["ignored"] == {"an archive, which is not opened": 1}


@case("nothing but archives", "refused: unpack them")
def _(root: Path) -> None:
    pack(splits(root / "a"), root / "data.tar")
    (root / "data").mkdir()
    os.rename(root / "data.tar", root / "data/data.tar")
    refused(root / "data", "no images in it, but data.tar: unpack it")


@case("text, or an archive, in a class folder", "refused; or skipped by `on_bad_image`, counted")
def _(root: Path) -> None:
    path = splits(root / "data")
    (path / "train/cat/notes.txt").write_text("text")
    pack(path / "test", path / "train/dog/z.tar.gz")
    zipfile.ZipFile(path / "train/dog/y.png", "w").close()
    (path / "train/dog/y.png").write_bytes(b"PK\3\4" + bytes(100))
    refused(path, "train/cat/notes.txt is not a readable image", "and 2 more such files")
    store = whole(load(path, on_bad_image="skip"))
    assert "train/dog/y.png: an archive; unpack it" in store.provenance["bad_images"]


@case("one class only", "refused")
def _(root: Path) -> None:
    for path in (classes(root / "a/data", names=("cat",)), root / "a"):
        refused(path, "only one class, 'cat'", "at least two", **DRAWN)


@case("a class without images, or in `test` only", "refused")
def _(root: Path) -> None:
    path = splits(root / "data")
    (path / "train/emu").mkdir()
    refused(path, "class 'emu' has no images in train")
    save(path / "test/emu/0.png", pixels(9))
    refused(path, "class 'emu' has no images in train")
    (path / "train/emu").rmdir()
    refused(path, "class 'emu' is in test but not in train")


@case("classes that differ in case or in how é is encoded", "refused, both named")
def _(root: Path) -> None:
    path = splits(root / "data")
    save(path / "train/Cat/9.png", pixels(9))
    refused(path, "'Cat' and 'cat' differ only in how they are written")


@case("files that differ in case", "read, both")
def _(root: Path) -> None:
    path = splits(root / "data")
    save(path / "train/cat/A.PNG", pixels(50)), save(path / "train/cat/a.png", pixels(51))
    whole(load(path), 10)


@case("a table of labels `file,label[,group][,split]` (`labels`)", "read; files not in it ignored")
def _(root: Path) -> None:
    for i in range(12):
        save(root / f"data/scans/{i}.png", pixels(i))
    lines = [f"scans/{i}.png, {('cat', 'dog')[i % 2]},p{i // 4}" for i in range(11)]
    table = root / "data/labels.csv"
    table.write_text("\ufefffile,label,group\n" + "\n".join(lines), encoding="utf-8")
    for path in (root / "data", pack(root / "data", root / "x.tar", "data")):
        store = load(path, labels="labels.csv", test_fraction=0.4, split_seed=0)
        assert len(store.train) + len(store.test) == 11 and store.classes == ("cat", "dog")
        assert not set(store.train.groups) & set(store.test.groups)
        assert store.provenance["ignored"] == {"not in labels.csv": 1}
    rows = [
        "file,label,split",
        *(f"scans/{i}.png,{i % 2},{('train', 'test')[i > 7]}" for i in range(12)),
    ]
    (root / "elsewhere.csv").write_text("\n".join(rows))
    store = load(root / "data", labels=str(root / "elsewhere.csv"))
    assert (len(store.train), len(store.test), store.classes) == (8, 4, ("0", "1"))
    refused(root / "data", "labels.csv: set labels: labels.csv")


@case("a wrong row of a table of labels", "refused, with its line")
def _(root: Path) -> None:
    for i in range(4):
        save(root / f"data/{i}.png", pixels(i))
    rows = {
        "0.png,cat\n9.png,dog": "line 3: there is no file '9.png'",
        "0.png,cat\n0.png,dog": "line 3: 0.png is listed twice",
        "0.png,cat\n1.png,": "line 3: the label of 1.png is empty",
        "0.png,cat,dog": "line 2: not 2 columns",
    }
    for text, message in rows.items():
        (root / "data/labels.csv").write_text(f"file,label\n{text}\n")
        refused(root / "data", message, labels="labels.csv", **DRAWN)
    (root / "data/labels.csv").write_text("file;label\n0.png;cat\n")
    refused(root / "data", "file,label (and group, split)", labels="labels.csv", **DRAWN)
    (root / "data/labels.csv").write_bytes(b"file,label\n0.png,caf\xe9\n")
    refused(root / "data", "not UTF-8", labels="labels.csv", **DRAWN)
    refused(root / "data", "there is no none.csv", labels="none.csv", **DRAWN)


# --- Names and kinds of files ---


@case("hidden files, `.DS_Store`, `__MACOSX`, `Thumbs.db`, `desktop.ini`", "ignored, counted")
def _(root: Path) -> None:
    path = splits(root / "data")
    for name in ("train/cat/.DS_Store", "train/cat/Thumbs.db", "train/.hidden/cat/0.png"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(b"x")
    save(path / "__MACOSX/train/cat/_0.png", pixels(77))
    for place in (path, pack(path, root / "x.tar")):
        assert whole(load(place)).provenance["ignored"] == {
            "hidden": 2,
            "left by Windows": 1,
            "left by macOS": 1,
        }


@case("a name that is not UTF-8, or has a line break", "read; escaped in the id")
def _(root: Path) -> None:
    path = splits(root / "data")
    content = (path / "train/cat/0.png").read_bytes()
    (path / "train/cat/0.png").unlink(), (path / "train/cat/1.png").unlink()
    with open(os.fsencode(path / "train/cat") + b"/caf\xe9.png", "wb") as file:
        file.write(content)
    save(path / "train/cat/a\nb.png", pixels(44))
    for place in (path, pack(path, root / "x.tar")):
        ids = whole(load(place)).train.ids
        assert {"train/cat/caf\\xe9.png", "train/cat/a\\nb.png"} <= set(ids)


@case("suffixes in upper case, wrong or none", "read, by content")
def _(root: Path) -> None:
    path = splits(root / "data")
    os.rename(path / "train/cat/0.png", path / "train/cat/0.JPG")
    os.rename(path / "train/cat/1.png", path / "train/cat/one")
    whole(load(path))
    for name in [*path.rglob("*.png"), *path.rglob("*.JPG")]:
        os.rename(name, name.with_suffix(""))
    whole(load(path))


@case("links to files and to class folders, in a folder", "read")
def _(root: Path) -> None:
    path = splits(root / "data")
    (path / "train/dog/1.png").unlink()
    os.symlink("0.png", path / "train/dog/1.png")
    os.rename(path / "train/cat", root / "elsewhere")
    os.symlink(root / "elsewhere", path / "train/cat")
    store = whole(load(path))
    assert store.provenance["duplicates_within_splits"] == {"train": 1, "test": 0}


@case("hard and symbolic links to files and folders, in a tar", "read")
def _(root: Path) -> None:
    path = splits(root / "data")
    for name in ("cat/1.png", "dog/1.png"):
        (path / "train" / name).unlink()
    os.link(path / "train/cat/0.png", path / "train/cat/1.png")
    os.symlink("../cat/2.png", path / "train/dog/1.png")
    os.rename(path / "test/cat", path / ".cats")
    os.symlink("../.cats", path / "test/cat")
    store = whole(load(pack(path, root / "x.tar")))
    np.testing.assert_array_equal(
        image_of(store, "train/dog/1.png"), image_of(store, "train/cat/2.png")
    )
    np.testing.assert_array_equal(
        image_of(store, "train/cat/1.png"), image_of(store, "train/cat/0.png")
    )
    assert list(store.test.ids)[:2] == ["test/cat/0.png", "test/cat/1.png"]


@case("a link to nothing, to itself, or out of a tar", "refused")
def _(root: Path) -> None:
    path = splits(root / "data")
    os.symlink("nothing.png", path / "train/cat/9.png")
    refused(path, "train/cat/9.png is a link to nothing")
    refused(pack(path, root / "x.tar"), "train/cat/9.png is a link to nothing")
    (path / "train/cat/9.png").unlink()
    os.symlink("../../..", path / "train/cat/up")
    refused(path, "train/cat/up is a link to a folder that contains it")
    refused(pack(path, root / "x.tar"), "train/cat/up is a link to nothing in the archive")
    (path / "train/cat/up").unlink()
    os.symlink("loop.png", path / "train/cat/loop.png")
    refused(pack(path, root / "x.tar"), "train/cat/loop.png", "leads back to itself")
    (path / "train/cat/loop.png").unlink()
    os.symlink(".", path / "train/cat/here")
    refused(pack(path, root / "x.tar"), "train/cat/here is a link to a folder that contains it")


@case("devices, pipes, sockets", "refused")
def _(root: Path) -> None:
    path = splits(root / "data")
    os.mkfifo(path / "train/cat/pipe.png")
    for place in (path, pack(path, root / "x.tar")):
        refused(place, "train/cat/pipe.png is neither a file nor a folder")


# --- Archives ---


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


def measured(program: str) -> tuple[str, float]:
    """The error of a program that is to fail, and the MiB that it took beyond its imports."""
    code = f"""
import resource
from pathlib import Path
from gradval.data.sources import load_source
import gradval.data.sources.folder
OPTIONS = {OPTIONS!r}
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
try:
    {program}
except ValueError as error:
    print(error, peak() - before, sep="|")
"""
    source = str(Path(__file__).parents[3] / "src")
    environment = os.environ | {"PYTHONPATH": source}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    message, memory = done.stdout.strip().rsplit("|", 1)
    return message, float(memory)


@case("a bomb: a compressed tar with a file of 2 GiB", "refused at once, in little memory")
def _(root: Path) -> None:
    class Zeros(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return bytes(size)

    with tarfile.open(root / "x.tar.gz", "w:gz", compresslevel=1) as tar:
        info = tarfile.TarInfo("train/cat/0.png")
        info.size = 2**31
        tar.addfile(info, Zeros())  # type: ignore[arg-type]
    message, memory = measured(
        f"load_source('x', OPTIONS | {{'path': {str(root / 'x.tar.gz')!r}}}, Path({str(root)!r}))"
    )
    assert "train/cat/0.png has 2,147,483,648 bytes, more than" in message and memory < 50


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


@case("a bomb: a zip with a file of 2 GiB", "refused, in bounded memory")
def _(root: Path) -> None:
    with zipfile.ZipFile(root / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in splits(root / "data").rglob("*.png"):
            archive.write(file, file.relative_to(root / "data"))
        with archive.open("train/cat/9.png", "w", force_zip64=True) as packed:
            for _ in range(2**11):
                packed.write(bytes(2**20))
    message, memory = measured(
        f"load_source('x', OPTIONS | {{'path': {str(root / 'x.zip')!r}}}, Path({str(root)!r}))"
    )
    assert "train/cat/9.png is not a readable image (larger than 256 MiB)" in message
    assert memory < 650


@case("a bomb: a PNG of a billion pixels", "refused, in little memory")
def _(root: Path) -> None:
    path = splits(root / "data")
    image = Image.new("1", (40_000, 25_000))
    image.save(path / "train/cat/9.png")
    assert os.path.getsize(path / "train/cat/9.png") < 500_000
    message, memory = measured(
        f"load_source('x', OPTIONS | {{'path': {str(path)!r}}}, Path({str(root)!r}))"
    )
    assert "train/cat/9.png is not a readable image (more than 67,108,864 pixels)" in message
    assert memory < 50


# --- Images ---


@case("empty and truncated files, images of no size", "refused; or skipped by `on_bad_image`")
def _(root: Path) -> None:
    path = splits(root / "data")
    (path / "train/cat/5.png").write_bytes(b"")
    (path / "train/cat/6.ppm").write_bytes(b"P6 0 0 255\n")
    big = save(root / "big.jpg", pixels(0, 64)).read_bytes()
    (path / "train/cat/7.jpg").write_bytes(big[:900])
    refused(path, "train/cat/5.png is not a readable image (an empty file)", "2 more")
    bad = whole(load(path, on_bad_image="skip")).provenance["bad_images"]
    assert [entry.split(":")[0] for entry in bad] == [
        f"train/cat/{i}" for i in ("5.png", "6.ppm", "7.jpg")
    ]


@case("several pages or frames: GIF, TIFF, PNG, WebP", "refused")
def _(root: Path) -> None:
    path = splits(root / "data")
    frames = [Image.fromarray(pixels(i)) for i in range(3)]
    for suffix in ("gif", "tif", "png", "webp"):
        file = path / f"train/cat/9.{suffix}"
        frames[0].save(file, save_all=True, append_images=frames[1:])
        refused(path, f"9.{suffix} is not a readable image (several pages or frames")
        file.unlink()


@case("a GIF or TIFF of one image; BMP, WebP, JPEG 2000, PCX, QOI", "read")
def _(root: Path) -> None:
    path = splits(root / "data")
    suffixes = ("gif", "tif", "bmp", "webp", "jp2", "pcx", "qoi")
    for i, suffix in enumerate(suffixes):
        save(path / f"train/cat/x.{suffix}", pixels(500 + i))
    store = whole(load(path), 15)
    for i, suffix in enumerate(suffixes):
        if suffix in ("tif", "bmp", "pcx", "qoi"):
            expected = pixels(500 + i).transpose(2, 0, 1)
            np.testing.assert_array_equal(image_of(store, f"train/cat/x.{suffix}"), expected)


@case("DICOM, PostScript, PDF, SVG", "refused: convert it")
def _(root: Path) -> None:
    path = splits(root / "data")
    for suffix, content, reason in (
        ("dcm", bytes(128) + b"DICM" + bytes(50), "a DICOM file; convert it to PNG"),
        ("eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "not an image of a format"),
        ("pdf", b"%PDF-1.4", "not an image of a format"),
        ("svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image of a format"),
    ):
        (path / f"train/cat/9.{suffix}").write_bytes(content)
        refused(path, f"9.{suffix} is not a readable image ({reason}")
        (path / f"train/cat/9.{suffix}").unlink()


@case("a photograph that EXIF turns", "read, upright")
def _(root: Path) -> None:
    path = splits(root / "data")
    array = np.zeros((8, 8, 3), np.uint8)
    array[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 3
    save(path / "train/cat/9.png", array, exif=exif)
    image = image_of(load(path), "train/cat/9.png")
    assert image[:, -1].min() == 255 and image[:, :-1].max() == 0


@case("black and white, grey, palette, RGB, CMYK", "read")
def _(root: Path) -> None:
    path = splits(root / "data")
    colour = np.zeros((8, 8, 3), np.uint8)
    colour[:, 4:] = (255, 0, 0)
    for mode in ("RGB", "P", "CMYK"):
        Image.fromarray(colour).convert(mode).save(path / f"train/cat/{mode}.tif")
    bits = Image.fromarray(colour[:, :, 0]).convert("1")
    bits.save(path / "train/cat/1.tif"), bits.convert("L").save(path / "train/cat/L.tif")
    for options in ({}, GREY):
        store = load(path, on_duplicate="keep", **options)
        for mode in ("RGB", "P", "CMYK"):
            image = image_of(store, f"train/cat/{mode}.tif")
            right = [76] if options else [255, 0, 0]
            assert image[:, 0, 0].tolist() == [0] * len(right)
            assert image[:, 0, 7].tolist() == right
        for mode in ("1", "L"):
            assert image_of(store, f"train/cat/{mode}.tif")[:, 0].tolist() == (
                [[0, 0, 0, 0, 255, 255, 255, 255]] * len(image)
            )
    assert store.provenance["pixel_modes"] == {"1": 1, "CMYK": 1, "L": 1, "P": 1, "RGB": 13}


@case("YCbCr and LAB", "read; refused")
def _(root: Path) -> None:
    path = splits(root / "data")
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    red.convert("YCbCr").save(path / "train/cat/9.tif", compression="jpeg")
    image = image_of(load(path), "train/cat/9.tif").astype(int)
    assert np.abs(image[:, 4, 4] - (254, 0, 0)).max() <= 3
    (path / "train/cat/9.tif").unlink()
    Image.new("LAB", (8, 8)).save(path / "train/cat/8.tif")
    refused(path, "8.tif", "pixel mode LAB is not read")


@case("transparent pixels: LA, RGBA, palette or colour", "laid over white or black; or refused")
def _(root: Path) -> None:
    path = splits(root / "data")
    shape = np.zeros((8, 8, 4), np.uint8)
    shape[2:5, 2:5, 3] = 255
    drawing = Image.fromarray(shape)
    drawing.save(path / "train/cat/RGBA.png"), drawing.convert("LA").save(path / "train/cat/LA.png")
    inked = np.zeros((8, 8), np.uint8)
    inked[2:5, 2:5] = 1
    palette = Image.fromarray(inked, "P")
    palette.putpalette([9, 9, 9, 0, 0, 0])
    palette.save(path / "train/cat/P.png", transparency=0)
    Image.fromarray(9 - inked * 9).save(path / "train/cat/L.png", transparency=9)
    expected = np.full((8, 8), 255, np.uint8)
    expected[2:5, 2:5] = 0
    for options in ({}, GREY):
        white = load(path, on_duplicate="keep", **options)
        black = load(path, transparency="black", **options)
        for mode in ("RGBA", "LA", "P", "L"):
            image = image_of(white, f"train/cat/{mode}.png")
            np.testing.assert_array_equal(image, np.broadcast_to(expected, image.shape))
            assert not image_of(black, f"train/cat/{mode}.png").any()
    refused(path, "transparent pixels; set transparency: white or black", transparency="fail")


@case("alpha that is opaque everywhere", "read, as without it")
def _(root: Path) -> None:
    path = splits(root / "data")
    opaque = np.dstack([pixels(70), np.full((8, 8), 255, np.uint8)])
    save(path / "train/cat/9.png", opaque)
    store = load(path, transparency="fail")
    np.testing.assert_array_equal(image_of(store, "train/cat/9.png"), pixels(70).transpose(2, 0, 1))


def ramp() -> np.ndarray:
    """8 x 8, from 0 to 224."""
    return np.add.outer(np.arange(8), np.arange(8)) * 16


@case("16 bits, either byte order", "read by the high byte, or by `pixel_range`; dark ones counted")
def _(root: Path) -> None:
    path = splits(root / "data")
    deep = (ramp() * 257).astype(np.uint16)
    save(path / "train/cat/9.png", deep), save(path / "train/cat/9.tif", deep)
    save(path / "train/cat/b.tif", deep.astype(">u2")), save(path / "train/cat/9.pgm", deep)
    save(path / "train/dog/9.png", (ramp() * 16).astype(np.uint16))
    store = load(path, **GREY)
    for name in ("9.png", "9.tif", "b.tif", "9.pgm"):
        np.testing.assert_array_equal(image_of(store, f"train/cat/{name}")[0], ramp())
    assert store.provenance["dark_16_bit_images"] == 1
    full = load(path, pixel_range=[0, 4095], **GREY)
    image = image_of(full, "train/dog/9.png")[0]
    np.testing.assert_array_equal(image, np.round(ramp() * 16 / 4095 * 255))
    assert full.provenance["dark_16_bit_images"] == 0


@case("floating-point pixels from 0 to 1", "read, scaled to 0 to 255")
def _(root: Path) -> None:
    path = splits(root / "data")
    save(path / "train/cat/9.tif", (ramp() / 255).astype(np.float32))
    np.testing.assert_array_equal(image_of(load(path, **GREY), "train/cat/9.tif")[0], ramp())


@case("floating-point pixels beyond, or not finite", "refused; the former read by `pixel_range`")
def _(root: Path) -> None:
    path = splits(root / "data")
    values = (ramp() * 4.0 - 100).astype(np.float32)
    save(path / "train/cat/9.tif", values)
    refused(path, "floating-point pixels from -100 to 796, not 0 to 1", "pixel_range")
    image = image_of(load(path, pixel_range=[0, 255], **GREY), "train/cat/9.tif")[0]
    np.testing.assert_array_equal(image, np.round(values.clip(0, 255)))
    values[0, 0] = np.nan
    save(path / "train/cat/9.tif", values)
    refused(path, "pixels that are no finite numbers", pixel_range=[0, 255])


@case("32-bit and signed 16-bit pixels", "refused; read by `pixel_range`")
def _(root: Path) -> None:
    path = splits(root / "data")
    for dtype in (np.int32, np.int16):
        save(path / "train/cat/9.tif", (ramp() * 10 - 1000).astype(dtype))
        refused(path, "32-bit pixels from -1000 to 1240", "pixel_range")
        image = image_of(load(path, pixel_range=[-1000, 1240], **GREY), "train/cat/9.tif")[0]
        np.testing.assert_allclose(image, ramp() / 224 * 255, atol=0.5001)
    refused(path, "pixel_range: 5 must be below 5", pixel_range=[5, 5])


@case("one image in `train` and `test`", "refused; skipped or kept by `on_duplicate`, counted")
def _(root: Path) -> None:
    path = splits(root / "data")
    save(path / "train/cat/9.bmp", np.asarray(Image.open(path / "test/cat/0.png")))
    refused(path, "train/cat/9.bmp (train) and test/cat/0.png (test) are the same image")
    assert whole(load(path, on_duplicate="skip")).provenance["duplicates_across_splits"] == 1
    whole(load(path, on_duplicate="keep"), 9)


@case("one image twice in a split, or under two labels", "read, counted")
def _(root: Path) -> None:
    path = splits(root / "data")
    save(path / "train/dog/9.bmp", np.asarray(Image.open(path / "train/cat/0.png")))
    provenance = whole(load(path), 9).provenance
    assert provenance["duplicates_within_splits"] == {"train": 1, "test": 0}
    assert provenance["duplicates_with_other_labels"] == 2


# --- Groups ---


@case("X-rays of Kermany et al.: `person<N>_<kind>`, `IM-<N>`", "grouped by patient")
def _(root: Path) -> None:
    names = {
        "NORMAL/IM-0001-0001.jpeg": "IM-0001",
        "NORMAL/IM-0001-0002.jpeg": "IM-0001",
        "NORMAL/NORMAL2-IM-0001-0001.jpeg": "NORMAL2-IM-0001",
        "NORMAL/other.jpeg": "chest_xray/train/NORMAL/other.jpeg",
        "PNEUMONIA/person1_bacteria_1.jpeg": "person1_bacteria",
        "PNEUMONIA/person1_bacteria_2.jpeg": "person1_bacteria",
        "PNEUMONIA/person1_virus_6.jpeg": "person1_virus",
    }
    for i, name in enumerate(names):
        save(root / "x/chest_xray/train" / name, pixels(i))
        save(root / "x/chest_xray/test" / name.replace("1", "7"), pixels(100 + i))
    store = load(root / "x", source="pppd", **GREY)
    found = {
        i.split("train/")[1]: g for i, g in zip(store.train.ids, store.train.groups, strict=True)
    }
    assert found == names
    assert store.provenance["groups_in_train_and_test"] == 0


@case("a group in `train` and `test`", "read, counted and named in the log")
def _(root: Path) -> None:
    path = splits(root / "data")
    store = whole(load(path, group_pattern=r"(\d+)"))
    assert store.provenance["groups_in_train_and_test"] == 2
    assert list(store.train.groups) == ["0", "1", "2", "3"] * 2


@case("a `group_pattern` that does not match a file, or has not one group", "refused")
def _(root: Path) -> None:
    path = splits(root / "data")
    save(path / "train/dog/x.png", pixels(60))
    refused(
        path, r"group_pattern '^(\\d)' tells no group of train/dog/x.png", group_pattern=r"^(\d)"
    )
    refused(path, "must have one group in parentheses", group_pattern=r"\d")
    refused(path, "group_pattern: not a regular expression", group_pattern="(")


@case(
    "a test split that is drawn, with groups", "drawn by groups, the classes in their proportions"
)
def _(root: Path) -> None:
    for patient in range(20):
        for i in range(1 + patient % 3):
            save(
                root / f"data/{('cat', 'dog')[patient % 2]}/p{patient}_{i}.png",
                pixels(patient * 9 + i),
            )
    options = {"group_pattern": r"(p\d+)_", "test_fraction": 0.3, "split_seed": 1}
    store = load(root / "data", **options)
    train, test = set(store.train.groups), set(store.test.groups)
    assert len(train) == 14 and len(test) == 6 and not train & test
    for patients in (train, test):
        dogs = sum(int(p[1:]) % 2 for p in patients)
        assert dogs == len(patients) / 2
    assert store.test.groups == load(root / "data", **options).test.groups
