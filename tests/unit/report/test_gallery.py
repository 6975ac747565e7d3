"""The gallery's parts: what is in them, and whose images."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gradval.report.study_page import gallery as module
from gradval.report.study_page.gallery import (
    LARGEST,
    Collection,
    GalleryRun,
    shown_positions,
    sprites,
    write_gallery,
)

COUNT = 90


@pytest.fixture
def collection() -> Collection:
    rng = np.random.default_rng(0)
    runs = [
        GalleryRun(
            {"Seed": (str(seed), f"seed {seed}")},
            {"loss": rng.permutation(COUNT).astype(float)},
            [str(i % 4) for i in range(COUNT)],
        )
        for seed in (0, 1)
    ]
    return Collection(
        name="small",
        title="Small",
        classes=["a", "b", "c"],
        labels=np.arange(COUNT) % 3,
        files=[f"</script>{i}" for i in range(COUNT)],
        images=np.arange(COUNT, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4), np.uint8),
        runs=runs,
        scores={"loss": "Loss"},
        columns={"Site": [str(i // 45) for i in range(COUNT)]},
    )


def unpacked(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def test_parts_hold_values_labels_and_names(collection: Collection, tmp_path: Path) -> None:
    gallery = write_gallery(tmp_path / "gallery", [collection], page=tmp_path / "index.html", k=7)
    assert gallery.folder == "" and gallery.k == 7 and gallery.collections == {"small": "Small"}
    assert list((tmp_path / "gallery").iterdir()) == []
    assert not any("<" in text for text in gallery.parts.values())
    parts = {name: json.loads(text) for name, text in gallery.parts.items()}
    samples = parts["small/samples"]
    assert samples["files"] == collection.files
    assert unpacked(samples["labels"], "<u2").tolist() == collection.labels.tolist()
    values = unpacked(parts["small/run1"]["values"]["loss"], "<f4")
    assert values.tolist() == collection.runs[1].values["loss"].tolist()
    predicted = parts["small/run0"]["predicted"]
    assert [predicted["names"][i] for i in unpacked(predicted["codes"], "<u4")] == list(
        collection.runs[0].predicted or ()
    )
    site = samples["columns"]["Site"]
    assert site["names"] == ["0", "1"] and unpacked(site["codes"], "<u4").sum() == COUNT - 45
    assert parts["small"]["all"] and parts["small"]["tile"] == [4, 4]


def test_a_large_gallery_lies_beside_the_page(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_INLINE", 100)
    gallery = write_gallery(tmp_path / "gallery", [collection], page=tmp_path / "index.html")
    assert gallery.folder == "gallery" and gallery.parts == {}
    assert sorted(path.name for path in (tmp_path / "gallery").iterdir()) == [
        *("small-run0.js", "small-run1.js", "small-samples.js", "small.js", "sprite-small-0.webp"),
    ]
    text = (tmp_path / "gallery/small.js").read_text(encoding="utf-8")
    assert text.startswith('gradval.part("small",{') and text.endswith(")")


def test_sprites_hold_each_image_in_its_place(collection: Collection) -> None:
    (sheet,) = sprites(collection.images, np.arange(COUNT))
    pixels = np.asarray(Image.open(io.BytesIO(sheet)).convert("L"))
    assert pixels.shape == (3 * 4, 32 * 4)
    for i in (0, 31, 32, COUNT - 1):
        assert (pixels[i // 32 * 4 :, i % 32 * 4 :][:4, :4] == i).all()
    large = np.zeros((2, 3, 200, 100), np.uint8)
    (sheet,) = sprites(large, np.arange(2))
    assert Image.open(io.BytesIO(sheet)).size == (LARGEST, LARGEST)
    assert list(sprites(None, np.arange(0))) == []


def test_selected_images_are_those_at_either_end_of_a_class(collection: Collection) -> None:
    chosen, each = shown_positions(collection, "selected", most=30)
    assert 0 < len(chosen) <= 30 and each >= 1
    expected = set()
    for run in collection.runs:
        for label in range(3):
            within = np.flatnonzero(collection.labels == label)
            order = within[np.argsort(run.values["loss"][within])]
            expected |= {*order[:each].tolist(), *order[-each:].tolist()}
    assert set(chosen.tolist()) == expected
    always = next(i for i in range(COUNT) if i not in expected)
    wanted, _ = shown_positions(replace(collection, always=[always]), "selected", most=30)
    assert set(wanted.tolist()) == expected | {always}
    assert len(shown_positions(collection, "all")[0]) == COUNT
    assert len(shown_positions(replace(collection, images=None), "all")[0]) == 0
