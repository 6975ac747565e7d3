"""Selections and their comparison: known answers, naive versions, properties and chance levels."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from skimage.metrics import structural_similarity

from gradval.selection import (
    CORRELATION_STATISTICS,
    SELECTION_STATISTICS,
    STATISTICS,
    Level,
    bhattacharyya_distance,
    class_counts,
    compare,
    correlation_chance,
    dominant_class,
    overlap,
    pearson,
    pearson_extremes,
    pearson_top,
    select,
    selection_chance,
    spearman,
    ssim_between,
    ssim_matrix,
)

SHAPES = [(1, 8, 8), (3, 32, 32), (1, 9, 13), (1, 5, 8), (2, 4, 6), (1, 3, 3)]
WINDOWS = [7, 7, 7, 5, 3, 3]  # of the structural similarity of images of these shapes


def noise(seed: int, k: int, shape: tuple[int, int, int] = (1, 8, 8)) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (k, *shape), dtype=np.uint8)


def flat(*values: float, dtype: type = np.uint8, side: int = 8) -> NDArray:
    """Images of one constant value each."""
    return np.stack([np.full((1, side, side), value, dtype=dtype) for value in values])


# --- selections ---------------------------------------------------------------------------------


def test_select_orders_from_the_extreme_end() -> None:
    scores = [3.0, 9.0, -1.0, 4.0, 0.0]
    assert select(scores, 3).tolist() == [1, 3, 0]
    assert select(scores, 2, largest=False).tolist() == [2, 4]
    assert select(scores, 3).dtype == np.int64


@pytest.mark.parametrize("largest", [True, False])
def test_ties_are_broken_by_the_smaller_index(largest: bool) -> None:
    assert select(np.ones(6), 4, largest).tolist() == [0, 1, 2, 3]
    assert select([5, 7, 5, 7, 6], 2, True).tolist() == [1, 3]
    assert select([7, 5, 6, 5, 5], 2, False).tolist() == [1, 3]


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.data())
def test_select_equals_a_full_sort(scores: list[int], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(scores)))
    largest = data.draw(st.booleans())
    sign = -1 if largest else 1
    expected = sorted(range(len(scores)), key=lambda i: (sign * scores[i], i))[:k]
    assert select(scores, k, largest).tolist() == expected


def test_select_within_a_pool_returns_indices_into_the_whole() -> None:
    scores = np.array([9.0, 1.0, 8.0, 2.0, np.nan])
    for within in ([3, 1, 2], np.array([False, True, True, True, False])):
        assert select(scores, 2, candidates=within).tolist() == [2, 3]
        assert select(scores, 2, largest=False, candidates=within).tolist() == [1, 3]
    # Ties go by index in the whole, whatever the order of the candidates.
    assert select(np.ones(5), 2, candidates=[4, 3, 1]).tolist() == [1, 3]


def test_select_orders_infinities_and_accepts_tensors() -> None:
    assert select([0.0, math.inf, -math.inf], 3).tolist() == [1, 0, 2]
    mask = torch.tensor([True, False, True])
    assert select(torch.tensor([1.0, 3.0, 2.0]), 1, candidates=mask).tolist() == [2]


@pytest.mark.parametrize(
    ("scores", "k", "within", "message"),
    [
        ([1.0, 2.0], 0, None, "k must lie between 1 and the 2"),
        ([1.0, 2.0], -1, None, "k must lie between 1 and the 2"),
        ([1.0, 2.0], 3, None, "k must lie between 1 and the 2"),
        ([1.0, 2.0, 3.0], 3, [0, 1], "k must lie between 1 and the 2"),
        ([1.0, math.nan], 1, None, "1 scores are NaN"),
        ([[1.0, 2.0]], 1, None, "must be a vector"),
        ([1.0, 2.0], 1, [2], r"lie in \[0, 2\)"),
        ([1.0, 2.0], 1, [-1], r"lie in \[0, 2\)"),
        ([1.0, 2.0], 1, [0, 0], "one occurs twice"),
        ([1.0, 2.0], 1, [0.5], "vector of integers"),
        ([1.0, 2.0], 1, [True], "mask must have shape"),
        ([1.0, 2.0], 1, [False, False], "empty"),
    ],
)
def test_select_refuses(scores: list, k: int, within: list | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        select(scores, k, candidates=within)


def test_overlap() -> None:
    assert overlap([1, 2, 3], [3, 4, 1]) == 2
    assert overlap([1, 2], [3, 4, 5]) == 0
    assert overlap(np.arange(25), np.arange(25)[::-1]) == 25
    assert overlap(torch.tensor([1, 2]), torch.tensor([2])) == 1
    with pytest.raises(ValueError, match="occurs twice"):
        overlap([1, 1], [1, 2])
    with pytest.raises(ValueError, match="vector of integers"):
        overlap([1.0], [1])


def test_class_counts_and_dominant_class() -> None:
    labels = [2, 0, 2, 1, 0, 0]
    assert class_counts([0, 2, 3], labels, 4).tolist() == [0, 1, 2, 0]
    assert dominant_class([0, 2, 3], labels) == 2
    assert dominant_class([0, 3], labels) == 1  # one each: the smaller label
    assert dominant_class(torch.tensor([1, 4]), torch.tensor(labels)) == 0
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 2\)"):
        class_counts([0], labels, 2)
    with pytest.raises(ValueError, match=r"indices must lie in \[0, 6\)"):
        class_counts([6], labels, 3)
    with pytest.raises(ValueError, match="labels must be a vector of integers"):
        class_counts([0], [0.0, 1.0], 2)


# --- structural similarity ----------------------------------------------------------------------


def naive_ssim(x: NDArray, y: NDArray, window: int, bound: float) -> float:
    """Mean over all windows that fit of Wang et al.'s index, with the sample covariance."""
    c1, c2 = (0.01 * bound) ** 2, (0.03 * bound) ** 2
    values = []
    for channel_x, channel_y in zip(x.astype(float), y.astype(float), strict=True):
        height, width = channel_x.shape
        for i, j in itertools.product(range(height - window + 1), range(width - window + 1)):
            p = channel_x[i : i + window, j : j + window].ravel()
            q = channel_y[i : i + window, j : j + window].ravel()
            (vp, cov), (_, vq) = np.cov(p, q)
            mp, mq = p.mean(), q.mean()
            values.append(
                (2 * mp * mq + c1) * (2 * cov + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2))
            )
    return float(np.mean(values))


@pytest.mark.parametrize(("shape", "window"), list(zip(SHAPES, WINDOWS, strict=True)))
def test_ssim_matrix_is_that_of_one_call_a_pair(shape: tuple[int, int, int], window: int) -> None:
    k = 14  # more pairs than go into one call, and a last call that is not full
    a = noise(0, k, shape)
    b = (a[::-1] // 2 + noise(1, k, shape) // 2).astype(np.uint8)
    matrix = ssim_matrix(a, b)
    for i, j in itertools.product(range(k), range(k)):
        expected = structural_similarity(
            a[i], b[j], data_range=255, channel_axis=0, win_size=window
        )
        assert matrix[i, j] == expected
    assert matrix[1, 2] == pytest.approx(naive_ssim(a[1], b[2], window, 255), abs=1e-10)


def test_ssim_matrix_of_one_set_is_symmetric() -> None:
    a = noise(0, 7)
    np.testing.assert_array_equal(ssim_matrix(a), ssim_matrix(a, a))
    np.testing.assert_array_equal(np.diagonal(ssim_matrix(a)), 1)


def test_ssim_of_flat_images_in_closed_form() -> None:
    # No variance, so the index is (2 x y + C1) / (x^2 + y^2 + C1) with C1 = (0.01 * 255)^2.
    c1 = 2.55**2
    expected = (2 * 100 * 50 + c1) / (100**2 + 50**2 + c1)
    assert ssim_between(flat(100), flat(50)) == pytest.approx(expected, abs=1e-12)
    assert ssim_between(flat(0), flat(255)) == pytest.approx(1e-4 / (1 + 1e-4), abs=1e-12)


def test_pairing_known_answer() -> None:
    black, white = flat(0), flat(255)
    apart = 1e-4 / (1 + 1e-4)
    a, b = np.concatenate([black, white, black]), np.concatenate([white, black, white])
    # Two of the three can be paired with their like.
    assert ssim_between(a, b) == pytest.approx((2 + apart) / 3, abs=1e-12)
    assert ssim_between(a, b, pairing="rank") == pytest.approx(apart, abs=1e-12)


def test_matched_is_the_best_of_all_permutations() -> None:
    a, b = noise(0, 5), (noise(0, 5)[::-1] // 4 + noise(1, 5) // 4 * 3).astype(np.uint8)
    matrix = ssim_matrix(a, b)
    best = max(
        np.mean([matrix[i, j] for i, j in enumerate(order)])
        for order in itertools.permutations(range(5))
    )
    assert ssim_between(a, b) == pytest.approx(best, abs=1e-12)
    assert ssim_between(a, b, pairing="rank") == pytest.approx(np.diagonal(matrix).mean())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("floating", [False, True])
def test_equal_sets_give_exactly_one_in_any_order(
    shape: tuple[int, int, int], floating: bool
) -> None:
    a = noise(3, 25, shape)
    images = (a / 255).astype(np.float32) if floating else a
    order = np.random.default_rng(4).permutation(25)
    assert ssim_between(images, images) == 1.0
    assert ssim_between(images, images, pairing="rank") == 1.0
    assert ssim_between(images, images[order]) == 1.0
    assert ssim_between(images, images[order], pairing="rank") < 0.9
    distance = bhattacharyya_distance(images, images[order])
    assert distance == 0.0
    assert math.copysign(1, distance) == 1  # not -0.0


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_matched_is_at_least_rank_and_ignores_order(k: int, seed: int, mix: float) -> None:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 256, (k, 1, 8, 8), dtype=np.uint8)
    b = (mix * a + (1 - mix) * rng.integers(0, 256, a.shape)).astype(np.uint8)
    matched = ssim_between(a, b)
    assert matched >= ssim_between(a, b, pairing="rank") - 1e-12
    assert matched == pytest.approx(ssim_between(rng.permutation(a), rng.permutation(b)))
    assert matched == pytest.approx(ssim_between(b, a))


def test_the_type_fixes_the_range() -> None:
    a, b = noise(0, 4), noise(1, 4)
    as_floats = ssim_between(a / 255, b / 255)
    assert as_floats == pytest.approx(ssim_between(a, b), abs=1e-9)
    assert ssim_between(torch.tensor(a), torch.tensor(b)) == ssim_between(a, b)
    dark = a // 8  # its own range is 31, but the range stays that of the type
    expected = structural_similarity(dark[0], dark[1], data_range=255, channel_axis=0)
    assert ssim_between(dark[:1], dark[1:2]) == expected


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (noise(0, 2), noise(0, 3), "same shape"),
        (noise(0, 2), noise(0, 2) / 255, "agree in shape and type"),
        (noise(0, 2)[0], noise(0, 2)[0], r"\(k, C, H, W\)"),
        (noise(0, 2)[:0], noise(0, 2)[:0], "none empty"),
        (noise(0, 2).astype(int), noise(0, 2).astype(int), "uint8 or floating-point, got int64"),
        (noise(0, 2) / 1.0, noise(0, 2) / 1.0, r"lie in \[0, 1\]"),
        (flat(math.nan, dtype=float), flat(0, dtype=float), r"lie in \[0, 1\]"),
        (flat(1, side=2), flat(1, side=2), "at least 3x3 pixels, got 2x2"),
    ],
)
def test_ssim_refuses(a: NDArray, b: NDArray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ssim_between(a, b)


def test_ssim_refuses_an_unknown_pairing() -> None:
    with pytest.raises(ValueError, match="'matched' or 'rank', got 'best'"):
        ssim_between(noise(0, 2), noise(1, 2), pairing="best")


# --- Bhattacharyya distance ---------------------------------------------------------------------


def test_bhattacharyya_known_answers() -> None:
    # p = (1/2, 1/2) and q = (1, 0): the coefficient is sqrt(1/2).
    assert bhattacharyya_distance(flat(0, 255), flat(0)) == pytest.approx(math.log(2) / 2)
    # p = (1/4, 3/4) and q = (3/4, 1/4): 2 sqrt(3/16).
    a, b = flat(10, 20, 20, 20), flat(10, 10, 10, 20)
    assert bhattacharyya_distance(a, b) == pytest.approx(-math.log(2 * math.sqrt(3 / 16)))


def test_bhattacharyya_of_disjoint_histograms_is_infinite() -> None:
    assert bhattacharyya_distance(flat(0, 1), flat(2, 255)) == math.inf


def test_each_8_bit_value_has_its_bin() -> None:
    for value in range(255):
        assert bhattacharyya_distance(flat(value), flat(value + 1)) == math.inf
        a, b = (flat(v / 255, dtype=float) for v in (value, value + 1))
        assert bhattacharyya_distance(a, b) == math.inf


def test_fewer_bins_join_neighbours() -> None:
    assert bhattacharyya_distance(flat(0), flat(1), bins=128) == 0.0
    assert bhattacharyya_distance(flat(1), flat(2), bins=128) == math.inf
    with pytest.raises(ValueError, match="bins must be at least 1"):
        bhattacharyya_distance(flat(0), flat(1), bins=0)
    with pytest.raises(ValueError, match="same type"):
        bhattacharyya_distance(flat(0), flat(0, dtype=float))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 5))
def test_bhattacharyya_equals_the_formula_on_frequencies(seed: int, k: int, m: int) -> None:
    a, b = noise(seed, k) // 16, noise(seed + 1, m) // 32
    p, q = (np.bincount(x.ravel(), minlength=256) / x.size for x in (a, b))
    expected = -math.log(np.sqrt(p * q).sum())
    assert bhattacharyya_distance(a, b) == pytest.approx(expected, abs=1e-12)
    assert bhattacharyya_distance(b, a) == pytest.approx(expected, abs=1e-12)
    assert bhattacharyya_distance(a, b) >= 0


# --- correlations -------------------------------------------------------------------------------


def test_correlations_known_answers() -> None:
    # Deviations (-1, 0, 1) and (-1, 1, 0): 1 / 2.
    assert pearson([1, 2, 3], [1, 3, 2]) == pytest.approx(0.5)
    assert spearman([1, 2, 3], [1, 300, 2]) == pytest.approx(0.5)
    a = np.random.default_rng(0).normal(size=50)
    assert pearson(a, 3 - 2 * a) == pytest.approx(-1)
    assert spearman(a, np.exp(5 * a)) == pytest.approx(1)


def test_correlations_agree_with_scipy() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.gamma(1, size=200), rng.integers(0, 5, 200)
    assert pearson(a, b) == stats.pearsonr(a, b).statistic
    assert spearman(a, b) == stats.spearmanr(a, b).statistic
    assert spearman(torch.tensor(a), torch.tensor(b)) == spearman(a, b)


def test_pearson_top_uses_the_top_of_the_first() -> None:
    a = np.array([9.0, 8.0, 7.0, 1.0, 2.0, 3.0])
    b = np.array([1.0, 2.0, 3.0, 30.0, 20.0, 10.0])
    assert pearson_top(a, b, k=3) == pytest.approx(-1)
    assert pearson_top(b, a, k=3) == pytest.approx(pearson(a[3:], b[3:]))
    assert pearson_top(a, b, k=4) == pytest.approx(pearson(a[[0, 1, 2, 5]], b[[0, 1, 2, 5]]))
    assert pearson_top(a, b, k=1000) == pytest.approx(pearson(a, b))


def test_pearson_extremes_uses_both_ends_of_both() -> None:
    a = np.array([0.0, 5.0, 4.0, 6.0, 9.0, 5.5])
    b = np.array([4.0, 9.0, 5.0, 0.0, 6.0, 5.5])
    chosen = [0, 1, 3, 4]  # ends of a: 0 and 4; ends of b: 3 and 1
    assert pearson_extremes(a, b, k=1) == pytest.approx(pearson(a[chosen], b[chosen]))
    assert pearson_extremes(b, a, k=1) == pytest.approx(pearson_extremes(a, b, k=1))
    assert pearson_extremes(a, b, k=100) == pytest.approx(pearson(a, b))


@pytest.mark.filterwarnings("error")
def test_undefined_correlations_are_nan() -> None:
    assert math.isnan(pearson([1, 1, 1], [1, 2, 3]))
    assert math.isnan(spearman([1, 2, 3], [2, 2, 2]))
    assert math.isnan(pearson([1], [2]))
    assert math.isnan(pearson_top([3, 3, 1], [1, 2, 3], k=2))
    assert math.isnan(pearson_top([1, 2, 3], [1, 2, 3], k=1))


@pytest.mark.parametrize("function", [pearson, spearman, pearson_top, pearson_extremes])
def test_correlations_refuse(function) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="same samples, got 2 and 3"):
        function([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="finite, but those of 2 samples"):
        function([1, math.nan, 2], [1, 2, math.inf])
    with pytest.raises(ValueError, match="vector"):
        function([[1, 2]], [[1, 2]])


@pytest.mark.parametrize("function", [pearson_top, pearson_extremes])
def test_correlations_of_the_top_refuse_k_below_one(function) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="k must lie between 1"):
        function([1, 2], [1, 2], k=0)


# --- comparison ---------------------------------------------------------------------------------


class Watched:
    """Images that remember which of them were read, in place of a memory map."""

    def __init__(self, images: NDArray) -> None:
        self.images, self.read = images, set[int]()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, indices: NDArray) -> NDArray:
        self.read.update(np.asarray(indices).tolist())
        chosen: NDArray = self.images[indices]
        return chosen


def test_compare_is_made_of_the_single_statistics() -> None:
    rng = np.random.default_rng(0)
    images = noise(0, 60)
    candidates = rng.permutation(60)[:40]
    a = rng.normal(size=60)
    b = a + rng.normal(size=60)
    for largest in (True, False):
        found = compare(a, b, images, candidates=candidates, k=6, largest=largest, pearson_k=10)
        x, y = (select(scores, 6, largest, candidates=candidates) for scores in (a, b))
        assert 0 < found["overlap"] < 6
        p, q = a[candidates], b[candidates]
        expected = {
            "overlap": overlap(x, y),
            "ssim_matched": ssim_between(images[x], images[y]),
            "ssim_rank": ssim_between(images[x], images[y], pairing="rank"),
            "bhattacharyya": bhattacharyya_distance(images[x], images[y]),
            "pearson": pearson(p, q),
            "pearson_top_a": pearson_top(p, q, 10),
            "pearson_top_b": pearson_top(q, p, 10),
            "pearson_extremes": pearson_extremes(p, q, 10),
            "spearman": spearman(p, q),
        }
        assert tuple(found) == tuple(expected) == STATISTICS
        assert found == pytest.approx(expected, abs=1e-12)


def test_compare_of_a_score_with_itself() -> None:
    scores = np.random.default_rng(0).normal(size=50)
    found = compare(scores, scores, noise(0, 50), k=25)
    assert found["overlap"] == 25
    assert found["ssim_matched"] == found["ssim_rank"] == 1.0
    assert found["bhattacharyya"] == 0.0
    assert [found[name] for name in CORRELATION_STATISTICS] == pytest.approx([1.0] * 5)


def test_compare_ignores_what_is_outside_the_pool() -> None:
    rng = np.random.default_rng(0)
    a, b, images = rng.normal(size=40), rng.normal(size=40), noise(0, 40)
    inside = np.arange(40) % 2 == 0
    expected = compare(a[inside], b[inside], images[inside], k=5, pearson_k=7)
    a[~inside], b[~inside], images[~inside] = np.nan, 1e9, 0
    assert compare(a, b, images, candidates=inside, k=5, pearson_k=7) == expected
    as_tensors = compare(
        torch.tensor(a), torch.tensor(b), torch.tensor(images), candidates=inside, k=5, pearson_k=7
    )
    assert as_tensors == expected


def test_only_the_images_needed_are_read(tmp_path) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    a, b, images = rng.normal(size=300), rng.normal(size=300), noise(0, 300)
    candidates = np.arange(100, 300)
    watched = Watched(images)
    found = compare(a, b, watched, candidates=candidates, k=5)
    assert watched.read == {
        *select(a, 5, candidates=candidates),
        *select(b, 5, candidates=candidates),
    }

    watched = Watched(images)
    levels = selection_chance(
        watched, rng=np.random.default_rng(1), candidates=candidates, k=5, draws=3
    )
    assert len(watched.read) == 40
    assert watched.read <= set(candidates)

    images.tofile(tmp_path / "images")
    mapped = np.memmap(tmp_path / "images", np.uint8, "r", shape=images.shape)
    assert compare(a, b, mapped, candidates=candidates, k=5) == found
    rng = np.random.default_rng(1)
    assert selection_chance(mapped, rng=rng, candidates=candidates, k=5, draws=3) == levels


def test_compare_and_chance_refuse() -> None:
    scores, images, rng = np.arange(4.0), noise(0, 4), np.random.default_rng(0)
    with pytest.raises(ValueError, match="one score an image, got 3 for 4"):
        compare(scores[:3], scores[:3], images, k=2)
    with pytest.raises(ValueError, match="same samples, got 4 and 3"):
        compare(scores, scores[:3], images, k=2)
    with pytest.raises(ValueError, match="k must lie between 1 and the 4"):
        compare(scores, scores, images, k=25)
    with pytest.raises(ValueError, match="k must lie between 1 and the 3"):
        selection_chance(images, rng=rng, candidates=[0, 1, 2], k=4)
    with pytest.raises(ValueError, match="draws must be at least 1"):
        selection_chance(images, rng=rng, k=2, draws=0)
    with pytest.raises(ValueError, match="draws must be at least 1"):
        correlation_chance(scores, scores, rng=rng, draws=0)
    with pytest.raises(ValueError, match="subset must be at least 2 k = 4, got 3"):
        selection_chance(images, rng=rng, k=2, subset=3)


# --- chance levels ------------------------------------------------------------------------------


def prototypes(n: int, kinds: int, seed: int = 0) -> NDArray[np.uint8]:
    """n noisy copies of a few waves, each of its own brightness: image i is of kind i % kinds."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:8, :8] / 8
    waves = rng.uniform(-1, 1, (kinds, 4))
    images = np.stack(
        [0.5 + 0.3 * s + 0.15 * np.sin(6 * (p * x + q * y + r)) for p, q, r, s in waves]
    )
    noisy = images[np.arange(n) % kinds] + rng.normal(0, 0.05, (n, 8, 8))
    return np.array(255 * noisy.clip(0, 1), dtype=np.uint8)[:, None]


def random_comparisons(
    images: NDArray, candidates: NDArray, k: int, draws: int, seed: int
) -> list[dict[str, float]]:
    """Comparisons of two scores of pure noise."""
    rng = np.random.default_rng(seed)
    n = len(images)
    return [
        compare(rng.random(n), rng.random(n), images, candidates=candidates, k=k)
        for _ in range(draws)
    ]


def test_overlap_by_chance_is_hypergeometric() -> None:
    # All selections of 3 out of 7, against the fixed one {0, 1, 2}.
    every = [len({0, 1, 2} & set(s)) for s in itertools.combinations(range(7), 3)]
    level = selection_chance(noise(0, 7), rng=np.random.default_rng(0), k=3, draws=1)["overlap"]
    assert level.mean == pytest.approx(np.mean(every)) == pytest.approx(9 / 7)
    assert (level.low, level.high) == tuple(np.quantile(every, [0.025, 0.975], method="higher"))

    rng = np.random.default_rng(1)
    simulated = [
        overlap(select(rng.random(150), 25), select(rng.random(150), 25)) for _ in range(2000)
    ]
    level = selection_chance(noise(0, 150), rng=rng, draws=1)["overlap"]
    error = np.std(simulated) / math.sqrt(2000)
    assert level.mean == pytest.approx(np.mean(simulated), abs=4 * error)
    assert np.mean([level.low <= value <= level.high for value in simulated]) >= 0.95
    assert np.mean([level.low < value < level.high for value in simulated]) < 0.95


@pytest.mark.parametrize("subset", [None, 60])
def test_chance_interval_holds_about_95_percent_of_unrelated_scores(subset: int | None) -> None:
    images = prototypes(200, kinds=23)
    candidates = np.arange(0, 200, 2)
    levels = selection_chance(
        images, rng=np.random.default_rng(2), candidates=candidates, k=10, draws=400, subset=subset
    )
    fresh = random_comparisons(images, candidates, k=10, draws=300, seed=3)
    assert tuple(levels) == SELECTION_STATISTICS
    for name in ("ssim_matched", "ssim_rank", "bhattacharyya"):
        values = np.array([draw[name] for draw in fresh])
        level = levels[name]
        inside = np.mean((values >= level.low) & (values <= level.high))
        assert 0.9 <= inside <= 0.985, name
        assert level.mean == pytest.approx(values.mean(), abs=0.5 * values.std()), name


def test_selections_from_a_part_meet_no_more_often_than_in_the_whole_pool() -> None:
    # Two images of noise have nothing in common, so a matched pair counts only if it is the same
    # image twice: k / n of the pairs, while selections from the part alone share k / 20.
    images = noise(0, 400)
    levels = selection_chance(images, rng=np.random.default_rng(0), k=10, draws=400, subset=20)
    assert levels["ssim_matched"].mean == pytest.approx(
        np.mean(
            [d["ssim_matched"] for d in random_comparisons(images, np.arange(400), 10, 200, 1)]
        ),
        abs=0.03,
    )
    naive = selection_chance(images[:20], rng=np.random.default_rng(0), k=10, draws=100, subset=20)
    assert naive["ssim_matched"].mean > levels["ssim_matched"].mean + 0.2


def test_planted_similar_selections_lie_above_chance() -> None:
    images = prototypes(200, kinds=10)
    scores_a, scores_b = np.zeros(200), np.zeros(200)
    scores_a[np.arange(3, 200, 10)[:10]] = 1  # two disjoint selections of images of one kind
    scores_b[np.arange(3, 200, 10)[10:]] = 1
    found = compare(scores_a, scores_b, images, k=10)
    levels = selection_chance(images, rng=np.random.default_rng(0), k=10)
    assert found["overlap"] == 0
    assert found["ssim_matched"] > levels["ssim_matched"].high
    assert found["ssim_rank"] > levels["ssim_rank"].high
    assert found["bhattacharyya"] < levels["bhattacharyya"].low


def test_a_selection_of_the_whole_pool_leaves_nothing_to_chance() -> None:
    levels = selection_chance(noise(0, 6), rng=np.random.default_rng(0), k=6, draws=5)
    assert levels["overlap"] == Level(6, 6, 6)
    assert levels["ssim_matched"] == Level(1, 1, 1)
    assert levels["bhattacharyya"] == Level(0, 0, 0)
    assert levels["ssim_rank"].mean < 1


@pytest.mark.filterwarnings("error")
def test_a_chance_level_may_be_infinite() -> None:
    levels = selection_chance(flat(*range(60)), rng=np.random.default_rng(0), k=2, draws=50)
    assert levels["bhattacharyya"].mean == levels["bhattacharyya"].high == math.inf


def test_correlations_by_chance() -> None:
    rng = np.random.default_rng(0)
    a = rng.gamma(1, size=400)
    b = a**2  # perfectly related, so that only the permutation can destroy it
    levels = correlation_chance(a, b, rng=rng, pearson_k=100, draws=600)
    assert tuple(levels) == CORRELATION_STATISTICS
    for name, n in {"pearson": 400, "spearman": 400, "pearson_top_a": 100}.items():
        spread = 1 / math.sqrt(n - 1)  # exact for permutations
        level = levels[name]
        assert level.mean == pytest.approx(0, abs=4 * spread / math.sqrt(600)), name
        assert level.high - level.low == pytest.approx(2 * 1.96 * spread, rel=0.2), name


def test_extremes_of_independent_skewed_scores_are_anticorrelated() -> None:
    # Both scores are large where they were selected for it, and usual in the rest.
    rng = np.random.default_rng(0)
    a, b = rng.gamma(1, size=(2, 2000))
    level = correlation_chance(a, b, rng=rng, pearson_k=50, draws=100)["pearson_extremes"]
    assert level.high < 0


def test_correlations_by_chance_stay_within_the_pool() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=60), rng.normal(size=60)
    candidates = np.arange(60) >= 20
    expected = correlation_chance(
        a[candidates], b[candidates], rng=np.random.default_rng(5), pearson_k=10, draws=20
    )
    b[~candidates] = 1e9
    assert expected == correlation_chance(
        a, b, rng=np.random.default_rng(5), candidates=candidates, pearson_k=10, draws=20
    )


@pytest.mark.filterwarnings("error")
def test_undefined_correlations_have_no_chance_level() -> None:
    rng = np.random.default_rng(0)
    level = correlation_chance(np.ones(9), np.arange(9), rng=rng, draws=3)["pearson"]
    assert all(math.isnan(value) for value in (level.mean, level.low, level.high))


def test_chance_is_complete_and_reproducible() -> None:
    rng = np.random.default_rng(0)
    a, b, images = rng.normal(size=80), rng.normal(size=80), noise(0, 80)

    def chance(seed: int) -> dict[str, Level]:
        rng = np.random.default_rng(seed)
        found = selection_chance(images, rng=rng, k=5, draws=20)
        return {**found, **correlation_chance(a, b, rng=rng, draws=20)}

    found = [chance(seed) for seed in (1, 1, 2)]
    assert tuple(found[0]) == STATISTICS
    assert found[0] == found[1] != found[2]
    for level in found[0].values():
        assert level.low <= level.mean <= level.high


def test_import_is_light() -> None:
    heavy = "torch", "scipy.stats", "skimage.metrics", "pandas"
    code = f"import sys, gradval.selection; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
