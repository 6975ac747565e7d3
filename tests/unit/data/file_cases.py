"""Names, links and kinds of files; groups."""

import os
from pathlib import Path

import numpy as np
from folder_cases import (
    GREY,
    case,
    image_of,
    load,
    pack,
    pixels,
    refused,
    save,
    splits,
    whole,
)


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
