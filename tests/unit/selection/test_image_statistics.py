"""Contrast, detail and distance of images, as ranks within their classes."""

import numpy as np
import pytest

from gradval.selection.image_statistics import ranks_within_classes

RAMP = np.linspace(0, 255, 16).reshape(1, 4, 4)
CHECKS = np.indices((4, 4)).sum(axis=0)[None] % 2 * 255


def ranks(images, labels=None, members=None):
    labels = np.zeros(len(images), dtype=int) if labels is None else np.asarray(labels)
    members = np.arange(len(images)) if members is None else np.asarray(members)
    return ranks_within_classes(np.asarray(images, dtype=np.uint8), labels, members)


def test_contrast_and_detail_are_different_things():
    flat, faint = np.full((1, 4, 4), 9), CHECKS // 10 + 100
    found = ranks([RAMP, CHECKS, flat, faint])
    assert np.argsort(found["contrast"]).tolist() == [2, 3, 0, 1]
    # A faint chequerboard has as much detail as a bold one, a ramp has less, one colour has none.
    assert found["detail"][[1, 3]].tolist() == pytest.approx([found["detail"][1]] * 2, abs=0.26)
    assert np.argsort(found["detail"])[:2].tolist() == [2, 0]
    assert sorted(found["contrast"]) == pytest.approx([0.125, 0.375, 0.625, 0.875])


def test_distance_is_from_the_mean_of_the_class():
    plain, odd = np.full((1, 4, 4), 100), np.full((1, 4, 4), 200)
    images = [plain, plain + 1, odd, odd, odd - 1, plain]
    labels = [0, 0, 0, 1, 1, 1]  # what is odd in the one class is usual in the other
    found = ranks(images, labels)["distance"]
    assert found[2] == found[:3].max() and found[5] == found[3:].max()
    assert found.mean() == pytest.approx(0.5)


def test_pool_and_chunks(monkeypatch):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 3, 5, 5))
    labels = rng.integers(0, 2, 50)
    members = np.flatnonzero(labels == 1)
    whole = ranks(images, labels)
    inside = ranks(images, labels, members)
    monkeypatch.setattr("gradval.selection.image_statistics.CHUNK", 7)
    for name, values in ranks(images, labels).items():
        assert values == pytest.approx(whole[name])
        # The other class does not count.
        assert inside[name] == pytest.approx(whole[name][members])
