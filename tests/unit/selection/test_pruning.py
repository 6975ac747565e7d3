"""What a removal keeps."""

import numpy as np
import pytest

from gradval.selection.pruning import kept_samples

SCORES = np.array([3.0, 9.0, 1.0, 9.0, 5.0, 7.0, 2.0, 8.0])
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1])


def keep(removal="vog", scores=SCORES, **options):
    return kept_samples(removal, scores, LABELS, **{"fraction": 0.25, **options}).tolist()


def test_the_largest_go_ties_by_index():
    assert keep() == [0, 2, 4, 5, 6, 7]
    assert keep(fraction=0.125) == [0, 2, 3, 4, 5, 6, 7]


def test_per_class_the_same_share_goes():
    assert keep(scope="class", fraction=0.5) == [0, 2, 4, 6]
    # One of eight: the first class gives it, by the largest remainder and then by order.
    assert keep(scope="class", fraction=0.125) == [0, 2, 3, 4, 5, 6, 7]


def test_class_scope_removes_as_many_as_global():
    rng = np.random.default_rng(0)
    scores, labels = rng.random(101), rng.integers(0, 7, 101)
    for fraction in (0.1, 0.25, 0.35):
        sizes = {
            scope: len(kept_samples("vog", scores, labels, fraction=fraction, scope=scope))
            for scope in ("global", "class")
        }
        assert sizes["global"] == sizes["class"] == 101 - int(101 * fraction)


def test_controls():
    assert keep("none", None) == list(range(8))
    random = keep("random", None, seed=3)
    assert len(random) == 6 and random == keep("random", None, seed=3)
    drawn = {tuple(keep("random", None, seed=seed)) for seed in range(20)}
    assert len(drawn) > 10
    assert random == keep("random", None, seed=3, draw=0)
    assert len({tuple(keep("random", None, seed=3, draw=draw)) for draw in range(20)}) > 10


def test_random_removal_is_uniform():
    removed = [set(range(8)) - set(keep("random", None, seed=seed)) for seed in range(2000)]
    counts = np.bincount([i for r in removed for i in r], minlength=8)
    # Each is removed with probability 1/4: binomial(2000, 1/4), sd 19.
    assert np.abs(counts - 500).max() < 5 * 19.4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fraction": 1.0}, "fraction must be in"),
        ({"scope": "site"}, "scope must be global or class"),
        ({"scores": None}, "removal by 'vog' needs its scores"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        keep(**options)
