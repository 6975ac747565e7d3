"""A comparison over seeds: which pairs there are, and what planted agreement looks like."""

import numpy as np
import pytest

from gradval.data.store import Split
from gradval.selection.agreement import compare_over_seeds, list_selections, pairings

OPTIONS = {"pool": None, "k": 5, "largest": True, "pearson_k": 20, "draws": 20}


def planted():
    """Scores of side a that agree with side b for the same seed and with nothing else."""
    rng = np.random.default_rng(0)
    a = {seed: rng.random(60) for seed in (3, 4)}
    return a, dict(a), rng.integers(0, 256, (60, 1, 8, 8), dtype=np.uint8)


def test_every_pairing_is_there_once():
    found = list(pairings([0, 1, 2]))
    names = [name for name, *_ in found]
    assert [names.count(n) for n in ("same seed", "other seed", "ceiling a", "ceiling b")] == [
        3,
        6,
        3,
        3,
    ]
    assert len(set(found)) == len(found)
    assert all((x[1] == y[1]) == (name == "same seed") for name, x, y in found)


def test_planted_agreement_is_found_where_it_is():
    a, b, images = planted()
    table = compare_over_seeds(a, b, images, **OPTIONS)
    overlap = table[table["statistic"] == "overlap"].set_index("pairing")["value"]
    assert (overlap["same seed"] == 5).all() and (overlap["other seed"] < 5).all()
    spearman = table[table["statistic"] == "spearman"]
    same = spearman[spearman["pairing"] == "same seed"]
    assert same["value"].to_numpy() == pytest.approx([1, 1])
    assert (same["value"] > same["chance_high"]).all() and same["chance"].abs().max() < 0.2
    # Side b repeats side a, so both ceilings are the same pair of seeds.
    ceilings = table[table["pairing"].str.startswith("ceiling")]
    for _, rows in ceilings.groupby("statistic"):
        assert rows["value"].nunique() == 1


def test_selections_name_the_samples():
    a, b, images = planted()
    split = Split(images, np.arange(60) % 3, [f"id{i}" for i in range(60)])
    pool = split.labels == 1
    table = list_selections({"a": a, "b": b}, split, pool=pool, k=4, largest=False)
    assert len(table) == 2 * 2 * 4 and (table["label"] == 1).all()
    first = table[(table["side"] == "a") & (table["seed"] == 3)]
    members = np.flatnonzero(pool)
    assert first["index"].tolist() == members[np.argsort(a[3][members])[:4]].tolist()
    assert first["id"].tolist() == [f"id{i}" for i in first["index"]]
    assert first["score"].is_monotonic_increasing and first["rank"].tolist() == [1, 2, 3, 4]


def test_sides_need_the_same_seeds():
    a, _, images = planted()
    with pytest.raises(ValueError, match="both sides need the same seeds"):
        compare_over_seeds(a, {3: a[3]}, images, **OPTIONS)
