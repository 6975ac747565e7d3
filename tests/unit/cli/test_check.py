"""`gradval check` says what `prepare_dataset` would, by its very code."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gradval.cli.main import main
from gradval.data.sources import load_source

OPTIONS = {
    "source": "folder",
    "image_size": 32,
    "channels": 3,
    "resize": "squash",
    "on_bad_image": "fail",
    "on_duplicate": "fail",
    "mean": [0.5] * 3,
    "std": [0.25] * 3,
    "subset_seed": 0,
}


def save(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three training images and one test image of two classes, and a file beside them."""
    for label, name in enumerate(("cat", "dog")):
        for i in range(3):
            save(tmp_path / f"images/train/{name}/p{i}_0.png", 10 * label + i)
        save(tmp_path / f"images/test/{name}/p{2 + label}_1.png", 10 * label + 5)
    (tmp_path / "images/README").write_text("text")
    return tmp_path / "images"


def prepare_refuses(path: Path, **options: object) -> str:
    with pytest.raises(ValueError) as error:
        load_source("mine", OPTIONS | {"path": str(path)} | options, path.parent / "scratch")
    return str(error.value).removeprefix("datasets.mine: ")


def test_a_good_folder(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(images), "--group-pattern", r"(p\d+)_"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{images}: train|test/<class>/<file>",
        "train: 6 images (cat 3, dog 3)",
        "test: 2 images (cat 1, dog 1)",
        "pixel modes: RGB 8; resized: 8",
        "repeated: 0 within train, 0 within test, 0 of train are in test too, 0 have the pixels of "
        "an image of another class",
        "refused: 0 files",
        "ignored: 1 file (no image by its name: 1)",
        r"groups by the file's name, (p\d+)_: 3 in train, 2 in test",
        "groups in train and test: 1 (p2)",
    ]


def test_json_tells_all(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (images / "train/cat/z.png").write_text("text")
    assert main(["check", str(images), "--json"]) == 2
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["images"]["train"] == {"cat": 3, "dog": 3}
    assert found["refused"] == {"train/cat/z.png": "not an image of a format that is read"}
    assert found["ignored_files"] == {"README": "no image by its name"}
    assert err.splitlines()[-1] == f"error: {prepare_refuses(images)}"
    assert main(["check", str(images), "--on-bad-image", "skip"]) == 0


def test_it_refuses_what_prepare_dataset_refuses(
    images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for change in (
        lambda: (images / "train/dog/p9_0.png").write_bytes(
            (images / "test/cat/p2_1.png").read_bytes()
        ),
        lambda: save(images / "train/cat/sub/0.png", 70),
        lambda: save(images / "images/train/cat/0.png", 71),
    ):
        change()
        assert main(["check", str(images)]) == 2
        assert capsys.readouterr().err.splitlines()[-1] == f"error: {prepare_refuses(images)}"


def test_classes_alone_get_a_drawn_test_split(
    images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(3, 10):
        save(images / f"train/cat/p{i}_0.png", 100 + i)
    assert main(["check", str(images / "train")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == ["train: 10 images (cat 8, dog 2)", "test: 3 images (cat 2, dog 1)"]
    assert lines[-1].startswith("no test split: one was drawn; set test_fraction: 0.2, split_seed")


def test_nothing_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "nowhere")]) == 2
    out, err = capsys.readouterr()
    assert not out and err.startswith("error: ") and err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["ledger", "--help"]])
def test_help_teaches_by_an_example(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 0 and "Example" in capsys.readouterr().out
