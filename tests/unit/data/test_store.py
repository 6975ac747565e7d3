"""The canonical store: what is written is what is read, and contradictions are named."""

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from gradval.data.images import NormalisedImages
from gradval.data.sources import load_source
from gradval.data.store import Split, Store, open_store, write_store
from gradval.runtime.files import atomic_path, read_json
from gradval.study.names import STORE_FILES

DIGITS = {
    "source": "digits",
    "test_fraction": 0.2,
    "split_seed": 0,
    "mean": [0.306],
    "std": [0.377],
}


def small_store() -> Store:
    rng = np.random.default_rng(0)

    def split(n: int) -> Split:
        images = rng.integers(0, 256, (n, 3, 4, 5), dtype=np.uint8)
        return Split(images, np.arange(n) % 2, [f"image-{i}" for i in range(n)])

    return Store(
        "toy", ("cat", "dog"), (0.5,) * 3, (0.25,) * 3, split(6), split(4), {"source": "x"}
    )


def test_store_survives_the_disk(tmp_path):
    store = small_store()
    write_store(store, tmp_path)
    opened = open_store(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(STORE_FILES)
    assert opened.classes == store.classes and opened.mean == store.mean
    for name in ("train", "test"):
        before, after = getattr(store, name), getattr(opened, name)
        np.testing.assert_array_equal(before.images, after.images)
        np.testing.assert_array_equal(before.labels, after.labels)
        assert list(before.ids) == list(after.ids)
        # Each image is its own group unless it is said otherwise.
        assert list(after.groups) == list(after.ids)
    assert isinstance(opened.train.images, np.memmap)


def test_groups_survive_the_disk_and_those_in_both_splits_are_counted(tmp_path):
    store = small_store()
    train = replace(store.train, groups=["a", "a", "b", "b", "c", "c"])
    test = replace(store.test, groups=["d", "d", "c", "a"])
    write_store(replace(store, train=train, test=test), tmp_path)
    opened = open_store(tmp_path)
    assert list(opened.train.groups) == ["a", "a", "b", "b", "c", "c"]
    assert opened.train.subset(np.array([4, 0])).groups == ["c", "a"]
    facts = read_json(tmp_path / "dataset.json")
    assert facts["groups"] == {"train": 3, "test": 3, "in_both": 2}
    assert facts["images_by_class"] == {
        "train": {"cat": 3, "dog": 3},
        "test": {"cat": 2, "dog": 2},
    }


def test_a_store_of_before_groups_is_opened(tmp_path):
    write_store(small_store(), tmp_path)
    samples = pd.read_parquet(tmp_path / "samples.parquet").drop(columns="group")
    samples.to_parquet(tmp_path / "samples.parquet")
    opened = open_store(tmp_path)
    assert list(opened.test.groups) == list(opened.test.ids)


def test_digits_are_the_real_ones_split_by_class():
    from sklearn.datasets import load_digits

    store = load_source("digits", DIGITS, "unused")
    bunch = load_digits()
    assert len(store.train) + len(store.test) == 1797
    assert not set(store.train.ids) & set(store.test.ids)
    for split in (store.train, store.test):
        positions = [int(i.split("/")[1]) for i in split.ids]
        np.testing.assert_array_equal(bunch.target[positions], split.labels)
        # 16 grey levels above zero become 0..255.
        np.testing.assert_allclose(
            split.images[:, 0] / 255, bunch.images[positions] / 16, atol=2e-3
        )
    shares = np.bincount(store.test.labels) / np.bincount(bunch.target)
    assert np.abs(shares - 0.2).max() < 0.01


def test_public_constants_of_the_default_config_are_close_to_the_data():
    store = load_source("digits", DIGITS, "unused")
    pixels = np.concatenate([store.train.images, store.test.images]) / 255
    assert abs(pixels.mean() - store.mean[0]) < 0.01
    assert abs(pixels.std() - store.std[0]) < 0.01


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": (0.5,)}, "mean has 1 values"),
        ({"classes": ("cat", "dog", "emu")}, "class 'emu' has no images"),
        ({"classes": ("cat",)}, "only one class, cat; at least two are needed"),
        ({"mean": (125.3, 0.5, 0.5)}, "mean is in units of 0 .* so 125.3 cannot be right"),
        ({"std": (0.2, 0.0, 0.2)}, "std is in units of 0 .* so 0 cannot be right"),
        ({"train": replace(small_store().train, labels=np.arange(6) % 3)}, "outside the 2 classes"),
        ({"train": replace(small_store().train, groups=["a"])}, "6 ids and 1 groups"),
    ],
)
def test_contradictions_are_named(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        write_store(replace(small_store(), **change), tmp_path)
    assert not list(tmp_path.iterdir())


def test_missing_file_is_named(tmp_path):
    write_store(small_store(), tmp_path)
    (tmp_path / "test_labels.npy").unlink()
    with pytest.raises(ValueError, match=r"test_labels\.npy: missing"):
        open_store(tmp_path)


@pytest.mark.parametrize("name", ["train_images.npy", "test_labels.npy", "samples.parquet"])
def test_a_truncated_file_is_named(tmp_path, name):
    write_store(small_store(), tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError) as error:
        open_store(tmp_path)
    assert f"{name}: damaged" in str(error.value) and "\n" not in str(error.value)


def test_unknown_source_and_class_are_named():
    with pytest.raises(ValueError, match=r"datasets\.x\.source: unknown source 'mars'"):
        load_source("x", {"source": "mars"}, "unused")
    with pytest.raises(ValueError, match="no class 'emu'; it has cat, dog"):
        small_store().class_index("emu")


def test_a_failed_write_leaves_nothing_and_keeps_the_old(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_what_a_killed_process_left_is_removed_by_the_next_write(tmp_path):
    path = tmp_path / "a.b.txt"
    left, under_way, other = (tmp_path / f".{name}.txt" for name in ("a.b.1", "a.b.2", "a.1"))
    for file in (left, under_way, other):
        file.write_text("hal")
    for file in (left, other):
        os.utime(file, (0, 0))
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
    assert set(tmp_path.iterdir()) == {path, under_way, other}


def test_normalised_images_are_slices_of_the_normalised_whole():
    store = small_store()
    view = NormalisedImages(store.train.images, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    expected = torch.from_numpy(store.train.images).double() / 255
    mean, std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.6, 0.7])
    expected = (expected - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(view[0:6].double(), expected, rtol=1e-5, atol=1e-6)
    index = torch.tensor([4, 0, 2])
    torch.testing.assert_close(view[index], view[0:6][index])
    assert view[0:0].shape == (0, 3, 4, 5) and len(view) == 6


def test_grey_batches_are_laid_out_row_by_row():
    # One channel with channels_last strides makes every later layer slow, or worse.
    batch = NormalisedImages(load_source("digits", DIGITS, "unused").train.images, [0.3], [0.4])[
        0:3
    ]
    assert batch.stride() == (64, 64, 8, 1)
