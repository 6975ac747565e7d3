"""Published statistics: worst-case neighbours, what OpenDP is silent about, and an attack."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradval.privacy.statistics import DISTANCE, Publisher, Query, unit_values

BOUNDS = (-1.0, 3.0)
POINTS = {
    "histogram": (0.0, 1.0, 2.0),
    "count": (0.5,),
    "quantiles": tuple(np.linspace(-1, 3, 17).tolist()),
}
STATISTICS = ("mean", "variance", "quantiles", "histogram", "count")
RELATIONS = ("replace", "add_remove")
# OpenDP's noise has no seed: a right mechanism passes but once in about a million.
SURE = 5.0


def query(statistic, relation, size, epsilon=1.0, bounds=BOUNDS):
    return Query(
        score="vog",
        statistic=statistic,
        bounds=bounds,
        epsilon=epsilon,
        relation=relation,
        size=size if relation == "replace" else None,
        points=POINTS.get(statistic, ()),
        levels=(0.25, 0.5) if statistic == "quantiles" else (),
    )


def neighbours(values, relation, other):
    """Two neighbouring data sets: one value replaced, or taken away."""
    changed = values.copy()
    if relation == "replace":
        changed[0] = other
        return values, changed
    return values, values[1:]


# Far outside of the bounds, at them and within.
numbers = st.sampled_from([-math.inf, -50.0, -1.0, 0.0, 0.5, 1.0, 3.0, 1e9, math.inf])
samples = st.lists(numbers, min_size=3, max_size=12).map(np.array)


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("statistic", ["mean", "variance", "histogram", "count"])
def test_no_neighbours_differ_by_more_than_the_sensitivity(statistic, relation):
    largest = {}

    @settings(max_examples=60, deadline=None)
    @given(values=samples, other=numbers)
    def differ(values, other):
        pair = neighbours(values, relation, other)
        publisher = Publisher(query(statistic, relation, len(values)))
        for number, part in enumerate(publisher.parts):
            a, b = (np.atleast_1d(part.aggregate(part.prepare(np.clip(v, *BOUNDS)))) for v in pair)
            sensitivity = part.aggregate.map(DISTANCE[relation])
            distance = np.abs(a - b).sum()
            assert distance <= sensitivity * (1 + 1e-9)
            largest[number] = max(largest.get(number, 0), distance / sensitivity)

    differ()
    # Not far too careful either: noise that nobody needs.
    assert min(largest.values()) > 0.4 and max(largest.values()) > 0.6


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("epsilon", [0.1, 1.0, 16.0])
def test_opendp_certifies_the_epsilon_and_no_less(statistic, relation, epsilon):
    certified = Publisher(query(statistic, relation, 50, epsilon)).epsilon
    assert 0.999 * epsilon < certified <= epsilon * (1 + 1e-12)


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("statistic", STATISTICS)
def test_without_noise_to_speak_of_the_answer_is_right(statistic, relation):
    values = np.random.default_rng(0).normal(1, 1.5, 400)
    publisher = Publisher(query(statistic, relation, 400, epsilon=9999.0))
    exact = publisher.exact(values)
    tolerance = 0.26 if statistic == "quantiles" else 1.0 if statistic in POINTS else 1e-3
    for answer in (publisher.draw(values), *publisher.draws(values, 2)):
        assert answer == pytest.approx(exact, abs=tolerance)
    assert exact["variance" if statistic == "variance" else next(iter(exact))] is not None


def test_exact_statistics_are_those_of_numpy():
    values = np.random.default_rng(1).normal(1, 1.5, 300)
    clipped = np.clip(values, *BOUNDS)

    def exact(statistic, relation="replace"):
        return Publisher(query(statistic, relation, 300)).exact(values)

    assert exact("mean") == {"mean": pytest.approx(clipped.mean())}
    assert exact("variance") == {"variance": pytest.approx(clipped.var(ddof=1))}
    assert list(exact("histogram").values()) == np.histogram(clipped, [-9, 0, 1, 2, 9])[0].tolist()
    assert exact("count") == {"count": (values > 0.5).sum()}
    assert exact("quantiles")["q0.5"] == pytest.approx(np.median(clipped), abs=0.02)


def distinguish(draw, pair, draws, name):
    """A lower bound on epsilon from how often two neighbours' answers fall in each tail."""
    a, b = (np.array([answer[name] for answer in draw(v, draws)]) for v in pair)
    best = 0.0
    for cut in np.quantile(np.concatenate([a, b]), np.linspace(0.02, 0.98, 25)):
        for tail in (lambda x, cut=cut: x <= cut, lambda x, cut=cut: x > cut):
            for m, n in ((tail(a).sum(), tail(b).sum()), (tail(b).sum(), tail(a).sum())):
                if min(m, n) > 100:
                    best = max(best, math.log(m / n) - SURE * math.sqrt(1 / m + 1 / n))
    return best


@pytest.mark.parametrize("statistic", ["mean", "count", "quantiles"])
def test_an_attack_stays_within_epsilon_and_comes_near_it(statistic):
    values = np.full(8, -1.0)
    pair = neighbours(values, "replace", 99.0)
    publisher = Publisher(query(statistic, "replace", 8, epsilon=1.0))
    draws = 2000 if statistic == "quantiles" else 5_000
    name = {"quantiles": "q0.5"}.get(statistic, statistic)
    found = distinguish(publisher.draws, pair, draws, name)
    assert found <= 1.0
    if statistic != "quantiles":
        assert found > 0.6


def test_the_attack_catches_noise_of_a_wrong_scale():
    # Of a site that takes N for one more than twice what it is: half of the noise.
    wrong = Publisher(query("mean", "replace", 8, epsilon=2.0))
    found = distinguish(wrong.draws, neighbours(np.full(8, -1.0), "replace", 99.0), 5_000, "mean")
    assert found > 1.0


# --- What OpenDP is silent about ------------------------------------------------------------------


def test_a_sized_domain_calls_a_distance_of_one_free():
    """`map(1)` of a sized mean is about 0; ours states the distance of a replacement."""
    publisher = Publisher(query("mean", "replace", 50))
    (part,) = publisher.parts
    assert part.mechanism.map(1) < 1e-6
    assert publisher.epsilon == pytest.approx(1.0)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_the_number_of_values_is_checked(statistic):
    publisher = Publisher(query(statistic, "replace", 50))
    for call in (publisher.draw, publisher.exact, lambda v: publisher.draws(v, 2)):
        with pytest.raises(ValueError, match="49 values, but the query is for 50"):
            call(np.zeros(49))


@pytest.mark.parametrize("relation", RELATIONS)
def test_values_outside_of_the_bounds_are_clipped(relation):
    values = np.array([1e12, -1e12, *np.ones(98)])
    publisher = Publisher(query("mean", relation, 100, epsilon=9999.0))
    assert publisher.draw(values)["mean"] == pytest.approx((3 - 1 + 98) / 100, abs=0.01)


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("statistic", STATISTICS)
def test_nan_is_refused(statistic, relation):
    with pytest.raises(ValueError, match="value 2 is NaN"):
        Publisher(query(statistic, relation, 4)).draw([0.0, 1.0, math.nan, 2.0])


def test_a_mean_of_a_public_number_needs_the_number():
    with pytest.raises(ValueError, match="size must be given with relation replace"):
        query("mean", "replace", None)
    with pytest.raises(ValueError, match="size must be given"):
        Query(score="vog", statistic="mean", bounds=BOUNDS, epsilon=1.0, relation="add_remove",
              size=3)  # fmt: skip


def test_quantiles_are_never_on_a_sized_domain():
    """There their `map(1)` is 0; and the number of values must not decide what they cost."""
    publisher = Publisher(query("quantiles", "replace", 50))
    assert all(part.mechanism.map(1) > 0 for part in publisher.parts)


@pytest.mark.parametrize("points", [(0.0, 2.0, 1.0), (0.0, 0.0, 1.0), (0.0, math.nan)])
@pytest.mark.parametrize("statistic", ["quantiles", "histogram"])
def test_points_must_ascend(statistic, points):
    with pytest.raises(ValueError, match=r"ascend|finite number|valid"):
        Query(score="vog", statistic=statistic, bounds=BOUNDS, epsilon=1.0, relation="add_remove",
              points=points, levels=(0.5,) if statistic == "quantiles" else ())  # fmt: skip


def test_a_histogram_counts_everybody():
    publisher = Publisher(query("histogram", "add_remove", None, epsilon=9999.0))
    assert sum(publisher.draw([-99.0, 0.5, 1.5, 1e9]).values()) == 4


# --- Units ----------------------------------------------------------------------------------------


def test_a_group_counts_once_whatever_it_holds():
    groups = ["a", "b", "a", "a"]
    values = unit_values([1e9, 0.0, 1.0, -1e9], groups, "group", (0.0, 2.0))
    assert values == pytest.approx([(2 + 1 + 0) / 3, 0.0])
    many = unit_values([9.0] * 1000 + [0.0], ["a"] * 1000 + ["b"], "group", (0.0, 2.0))
    assert many.tolist() == [2.0, 0.0]
    assert unit_values([5.0, -5.0], ["a", "a"], "sample", (0.0, 2.0)).tolist() == [2.0, 0.0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(numbers, st.sampled_from("abc")), min_size=4, max_size=20), numbers)
def test_a_changed_group_moves_a_mean_of_groups_by_one_unit(rows, other):
    scores, groups = np.array([r[0] for r in rows]), [r[1] for r in rows]
    changed = np.where(np.array(groups) == groups[0], other, scores)
    a, b = (unit_values(s, groups, "group", BOUNDS).mean() for s in (scores, changed))
    assert abs(a - b) <= 4 / len(set(groups)) + 1e-12
