"""Exact chance of overlaps, against SciPy, counting and simulation."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from gradval.selection.overlaps import (
    combine_p,
    overlap_distribution,
    overlap_test,
    pooled_overlap,
)


def test_one_class_is_the_hypergeometric_distribution() -> None:
    found = overlap_distribution([5], [7], [40])
    assert found == pytest.approx(scipy.stats.hypergeom.pmf(np.arange(6), 40, 5, 7))
    assert found.sum() == pytest.approx(1)


def test_two_classes_by_counting_all_selections() -> None:
    # Selections with 2 of 4 and 1 of 3 samples, and with 1 of 4 and 2 of 3.
    classes = [range(4), range(4, 7)]
    ours = [c for c in itertools.product(*map(itertools.combinations, classes, (2, 1)))]
    fixed = {0, 4, 5}
    counts = np.bincount([len(fixed & {*x, *y}) for x, y in ours], minlength=3)
    assert overlap_distribution([2, 1], [1, 2], [4, 3]) == pytest.approx(counts / len(ours))


def test_sharing_classes_raises_chance() -> None:
    # Both selections come from the first of ten classes: ten times the overlap of blind chance.
    matched = overlap_test(0, [25] + [0] * 9, [25] + [0] * 9, [1000] * 10).expected
    assert matched == pytest.approx(10 * overlap_test(0, [25], [25], [10_000]).expected)


def test_overlap_against_fisher_exact() -> None:
    # 17 of 25 among 1,000: SciPy's Fisher test on the table of both selections.
    table = [[17, 8], [8, 967]]
    found = overlap_test(17, [25], [25], [1000])
    less = scipy.stats.fisher_exact(table, alternative="less").pvalue
    more = scipy.stats.fisher_exact(table, alternative="greater").pvalue
    assert found.p_above == pytest.approx(2 * more, rel=1e-6) and found.p_below == 1 < 2 * less
    odds = scipy.stats.contingency.odds_ratio(table).confidence_interval(0.95)
    means = [scipy.stats.nchypergeom_fisher.mean(1000, 25, 25, o) for o in (odds.low, odds.high)]
    assert (found.low, found.high) == pytest.approx(means, rel=1e-6)
    assert found.expected == pytest.approx(25**2 / 1000)
    assert (found.chance_low, found.chance_high) == scipy.stats.hypergeom(1000, 25, 25).interval(
        0.95
    )


def test_published_order_of_magnitude() -> None:
    """17 of 25 airplanes by chance, with 4,000 images of ten classes: 3e-18 or less."""
    assert overlap_test(17, [25], [25], [400]).p_above < 1e-12
    assert overlap_test(17, [25], [25], [5000]).p_above < 3e-18


@pytest.mark.parametrize("overlap", range(6))
def test_interval_agrees_with_the_tests(overlap: int) -> None:
    found = overlap_test(overlap, [3, 2], [4, 2], [12, 5])
    assert (found.low > found.expected) == (found.p_above <= 0.05)
    assert (found.high < found.expected) == (found.p_below <= 0.05)
    assert 0 <= found.low <= overlap <= found.high <= 5


def test_interval_covers_the_truth() -> None:
    # Selections that share more than chance: 20 samples of 60, of which 10 are common to begin
    # with, at odds of four.
    rng = np.random.default_rng(0)
    truth = scipy.stats.nchypergeom_fisher(60, 20, 20, 4.0)
    overlaps = truth.rvs(size=400, random_state=rng)
    found = {int(x): overlap_test(int(x), [20], [20], [60]) for x in np.unique(overlaps)}
    covered = np.mean([found[int(x)].low <= truth.mean() <= found[int(x)].high for x in overlaps])
    assert covered >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 400)


def test_pooled_overlaps_of_independent_pairs() -> None:
    one = overlap_distribution([5], [5], [50])
    # Two pairs are one experiment with two classes.
    assert pooled_overlap([2, 1], [one, one]) == pytest.approx(
        overlap_test(3, [5, 5], [5, 5], [50, 50]).p_above
    )


def test_combined_p_values() -> None:
    # Fisher: -2 sum ln p is chi-square with 2n degrees of freedom.
    expected = scipy.stats.chi2.sf(-2 * math.log(0.05 * 0.2), 4)
    assert combine_p([0.05, 0.2]) == pytest.approx(expected)
    assert combine_p([0.5, 0.5], "stouffer") == pytest.approx(0.5)


def test_impossible_overlaps_are_named() -> None:
    with pytest.raises(ValueError, match="holds more samples of a class than there are"):
        overlap_distribution([5], [1], [4])
    with pytest.raises(ValueError, match="one count a class"):
        overlap_distribution([5], [1, 2], [9, 9])
    with pytest.raises(ValueError, match="overlap of 4 is impossible"):
        overlap_test(4, [3], [3], [10])
