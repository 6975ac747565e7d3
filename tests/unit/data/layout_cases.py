"""How files lie in folders and tables."""

import os
import zipfile
from pathlib import Path

from folder_cases import DRAWN, case, classes, load, pack, pixels, refused, save, splits, whole


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
