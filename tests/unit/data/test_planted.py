"""What is planted in a training split: as much as was asked for, recorded, nothing else touched."""

import numpy as np
import pytest

from gradval.data.planted import mislabel, plant, planted_positions
from gradval.data.store import Split, Store, open_store, write_store

N, CLASSES = 200, 4


@pytest.fixture
def store() -> Store:
    rng = np.random.default_rng(0)

    def split(count: int, name: str) -> Split:
        images = rng.integers(0, 256, (count, 1, 4, 4), dtype=np.uint8)
        return Split(images, np.arange(count) % CLASSES, [f"{name}{i}" for i in range(count)])

    return Store(
        "toy", tuple("abcd"), (0.5,), (0.25,), split(N, "a"), split(8, "b"), {"source": "x"}
    )


def test_what_was_planted_is_what_the_store_says(store, tmp_path):
    write_store(plant(store, {"wrong_labels": 0.1, "duplicates": 0.05, "seed": 3}), tmp_path)
    planted = open_store(tmp_path)
    found = planted_positions(planted)
    wrong, twice = found["wrong_labels"], found["duplicates"]
    assert len(planted.train) == N + 10 and len(wrong) == 20 and len(twice) == 20
    assert not set(wrong) & set(twice)
    # Every label that differs from the original is recorded, with the original.
    changed = np.flatnonzero(planted.train.labels[:N] != store.train.labels)
    np.testing.assert_array_equal(changed, wrong)
    record = planted.provenance["planted"]
    assert record["wrong_labels"] == {str(i): int(store.train.labels[i]) for i in wrong}
    for copy, original in record["duplicates"].items():
        np.testing.assert_array_equal(planted.train.images[int(copy)], store.train.images[original])
        assert planted.train.ids[int(copy)] == f"{store.train.ids[original]}#copy"
        assert planted.train.groups[int(copy)] == planted.train.groups[original]
        assert planted.train.labels[int(copy)] == store.train.labels[original]
    np.testing.assert_array_equal(planted.train.images[:N], store.train.images)
    np.testing.assert_array_equal(planted.test.labels, store.test.labels)


def test_the_seed_decides(store):
    options = {"wrong_labels": 0.2, "duplicates": 0.0}
    one, again, other = (plant(store, {**options, "seed": seed}) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.train.labels, again.train.labels)
    assert (one.train.labels != other.train.labels).any()
    assert set(planted_positions(one)) == {"wrong_labels"}
    assert plant(store, None) is store and planted_positions(store) == {}


def test_wrong_labels_are_wrong_and_all_classes_alike():
    labels = np.zeros(9000, dtype=np.int64)
    changed, wrong = mislabel(labels, 0.5, CLASSES, np.random.default_rng(0))
    assert len(wrong) == 4500 and (changed[wrong] != 0).all() and (changed != 0).sum() == 4500
    np.testing.assert_allclose(np.bincount(changed)[1:] / 4500, 1 / 3, atol=0.03)


def test_more_than_all_samples_is_refused(store):
    with pytest.raises(ValueError, match="planted: wrong_labels and duplicates together are more"):
        plant(store, {"wrong_labels": 0.6, "duplicates": 0.6})
