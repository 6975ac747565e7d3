"""Sites: partitions that lose nothing, and plants that do what they say and no more."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradval.data.store import Split, Store
from gradval.federation.sites import (
    KINDS,
    Plant,
    Scenario,
    label_entropy,
    partition_sites,
    sites_table,
    union,
)

CLASSES = 4


def small_store(count=120, seed=0, folders=3):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(CLASSES), rng.integers(0, CLASSES, count - CLASSES)])
    ids = [f"hospital{i % folders}/{i}.png" for i in range(count)]
    groups = [f"patient{i // 3}" for i in range(count)]
    images = rng.integers(0, 256, (count, 1, 8, 8), dtype=np.uint8)
    train = Split(images, labels, ids, groups)
    test = Split(images[:8], labels[:8], [f"test{i}" for i in range(8)])
    names = tuple("abcd")
    return Store("toy", names, (0.5,), (0.5,), train, test, {})


def one(plant, **others):
    return Scenario("s", 3, planted={1: plant}, **others)


@settings(max_examples=60, deadline=None)
@given(
    sites=st.integers(1, 6),
    deal=st.sampled_from(["iid", "dirichlet", "class", "group"]),
    seed=st.integers(0, 1000),
    alpha=st.sampled_from([0.2, 1.0, 100.0]),
)
def test_every_sample_is_at_exactly_one_site(sites, deal, seed, alpha):
    store = small_store()
    if deal == "class":
        sites = min(sites, CLASSES)
    found = partition_sites(store, Scenario("s", sites, deal, alpha), seed)
    positions = np.concatenate([site.positions for site in found])
    assert len(found) == sites and all(len(site) for site in found)
    assert np.array_equal(np.sort(positions), np.arange(len(store.train)))
    for site in found:
        assert np.array_equal(site.split.images, store.train.images[site.positions])
        assert np.array_equal(site.split.labels, store.train.labels[site.positions])
        assert site.split.ids == [store.train.ids[i] for i in site.positions]


def test_the_seed_fixes_who_gets_what():
    store = small_store()
    scenario = one(Plant("pixel_noise", 0.3))
    a, b, c = (partition_sites(store, scenario, seed) for seed in (3, 3, 4))
    assert all(np.array_equal(x.split.images, y.split.images) for x, y in zip(a, b, strict=True))
    assert not np.array_equal(a[0].positions, c[0].positions)


def test_even_sites_differ_by_at_most_one():
    sizes = [len(s) for s in partition_sites(small_store(121), Scenario("s", 4), 0)]
    assert max(sizes) - min(sizes) == 1


def test_dirichlet_skews_labels_the_more_the_smaller_alpha_is():
    store = small_store(2000)

    def entropy(alpha):
        sites = partition_sites(store, Scenario("s", 4, "dirichlet", alpha), 0)
        return sites_table(sites, store.classes)["label_entropy"].mean()

    assert entropy(0.1) < entropy(1.0) < entropy(1000.0) <= np.log(CLASSES)


def test_whole_classes_and_whole_groups_stay_together():
    store = small_store()
    by_class = partition_sites(store, Scenario("s", 3, "class"), 1)
    held = [set(site.split.labels.tolist()) for site in by_class]
    assert sum(map(len, held)) == CLASSES
    by_group = partition_sites(store, Scenario("s", 3, "group"), 1)
    assert sum(len(set(site.split.groups)) for site in by_group) == len(set(store.train.groups))
    sizes = [len(site) for site in by_group]
    assert max(sizes) - min(sizes) <= 3


def test_a_site_a_folder_or_a_group():
    store = small_store()
    for site in partition_sites(store, Scenario("s", 3, "folder"), 0):
        assert {name.split("/")[0] for name in site.split.ids} == {f"hospital{site.number}"}
    with pytest.raises(ValueError, match="4 sites, but there are 3 folders: hospital0, hosp"):
        partition_sites(store, Scenario("s", 4, "folder"), 0)
    with pytest.raises(ValueError, match=r"there are 40 groups: patient0, .*, \.\.\."):
        partition_sites(store, Scenario("s", 3, "column"), 0)


@pytest.mark.parametrize("kind", ["pixel_noise", "blur", "contrast"])
def test_images_are_changed_at_the_planted_site_alone(kind):
    store = small_store()
    plain = partition_sites(store, Scenario("s", 3), 0)
    planted = partition_sites(store, one(Plant(kind, 0.7)), 0)
    for before, after in zip(plain, planted, strict=True):
        same = np.array_equal(before.split.images, after.split.images)
        assert same == (after.number != 1) and after.split.images.dtype == np.uint8
        assert np.array_equal(before.split.labels, after.split.labels)


def test_strengths_are_what_they_say():
    grey = small_store(3000)
    grey.train.images[:] = 128
    noisy = partition_sites(grey, one(Plant("pixel_noise", 0.1)), 0)[1].split.images
    assert noisy.std() == pytest.approx(25.5, rel=0.02) and abs(noisy.mean() - 128) < 0.5
    store = small_store()
    plain = partition_sites(store, Scenario("s", 3), 0)[1].split
    flat = partition_sites(store, one(Plant("contrast", 0.5)), 0)[1].split.images
    assert np.abs(flat - (127.5 + (plain.images - 127.5) / 2)).max() <= 0.5
    wrong = partition_sites(store, one(Plant("wrong_labels", 0.5)), 0)[1].split.labels
    assert (wrong != plain.labels).sum() == round(0.5 * len(wrong))
    assert wrong.min() >= 0 and wrong.max() < CLASSES
    small = partition_sites(store, one(Plant("small", 0.1)), 0)[1]
    assert len(small) == round(0.1 * len(plain)) and set(small.split.ids) <= set(plain.ids)


def test_duplicates_are_own_samples_again():
    store = small_store()
    plain = partition_sites(store, Scenario("s", 3), 0)[1]
    copied = partition_sites(store, one(Plant("duplicates", 3)), 0)[1]
    assert Counter(copied.positions.tolist()) == {p: 3 for p in plain.positions.tolist()}


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_rare_class_moves_to_one_site_and_nothing_is_lost(share):
    store = small_store()
    counts = np.bincount(store.train.labels)
    rare = int(np.flatnonzero(counts == counts.min())[-1])
    plain = partition_sites(store, Scenario("s", 3), 0)
    sites = partition_sites(store, one(Plant("rare_class", share)), 0)
    positions = np.concatenate([site.positions for site in sites])
    assert np.array_equal(np.sort(positions), np.arange(len(store.train)))
    for before, after in zip(plain, sites, strict=True):
        held = [(s.split.labels == rare).sum() for s in (before, after)]
        if after.number != 1:
            assert held[1] == held[0] - round(share * held[0])
            assert len(after) == len(before)


def test_the_table_says_what_was_planted():
    store = small_store()
    sites = partition_sites(store, one(Plant("duplicates", 2)), 0)
    table = sites_table(sites, store.classes)
    assert table["planted"].tolist() == ["", "duplicates", ""]
    assert table["worth"].tolist() == ["ordinary", "redundant", "ordinary"]
    assert table["images"].tolist() == [40, 80, 40] and table["distinct"].tolist() == [40] * 3
    assert (table[[f"class_{c}" for c in "abcd"]].sum(axis=1) == table["images"]).all()
    assert len(union(sites)) == 160


def test_entropy_of_classes():
    assert label_entropy(np.array([5, 5, 0])) == pytest.approx(np.log(2))
    assert label_entropy(np.array([7, 0])) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Plant("rust", 1), "unknown kind 'rust'; known are pixel_noise, blur"),
        (lambda: Plant("wrong_labels", 1.5), "wrong, from 0 to 1, got 1.5"),
        (lambda: Plant("duplicates", 1.5), "whole number"),
        (lambda: Scenario("s", 3, planted={3: Plant("blur", 1)}), "site 3, but sites are 0 to 2"),
        (lambda: Scenario("s", 3, "alphabet"), "unknown deal 'alphabet'"),
        (lambda: one(Plant("rare_class", 1), deal="group"), "sites are by group"),
        (lambda: partition_sites(small_store(), Scenario("s", 5, "class"), 0),
         "scenario s of toy: 4 classes cannot be dealt out to 5 sites"),
        (lambda: partition_sites(small_store(), one(Plant("small", 0.001)), 0), "nothing is left"),
        (lambda: partition_sites(small_store(), Scenario("s", 3, "dirichlet", 0.0), 0), "positive"),
    ],
)  # fmt: skip
def test_bad_scenarios_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_every_kind_states_its_worth():
    assert {kind.worth for kind in KINDS.values()} == {"harmful", "redundant", "valuable"}
