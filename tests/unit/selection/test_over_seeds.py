"""A comparison over runs: which pairs there are, and what planted agreement looks like."""

import numpy as np
import pytest

from gradval.data.store import Split
from gradval.selection.agreement import compare_over_runs, list_selections, pairings
from gradval.selection.overlaps import overlap_test

OPTIONS = {"candidates": None, "k": 5, "largest": True, "pearson_k": 20, "draws": 20}
RUNS = [(s, d) for s in (3, 4) for d in (0, 1)]


def planted(runs=((3, 0), (4, 0))):
    """Scores of side a that agree with side b for the same run and with nothing else."""
    rng = np.random.default_rng(0)
    a = {run: rng.random(60) for run in runs}
    images = rng.integers(0, 256, (60, 1, 8, 8), dtype=np.uint8)
    return a, dict(a), images, np.arange(60) % 3


def test_every_pairing_is_there_once():
    found = list(pairings([(s, 0) for s in range(3)]))
    names = [name for name, *_ in found]
    kinds = ("same seed", "other seed", "ceiling a", "ceiling b")
    assert [names.count(kind) for kind in kinds] == [3, 6, 3, 3]
    assert len(set(found)) == len(found) == 15
    assert all((x[1] == y[1]) == (name == "same seed") for name, x, y in found)


def test_draws_are_told_apart():
    for same_runs, expected in ((False, (8, 0)), (True, (4, 4))):
        found = list(pairings(RUNS, same_runs))
        names = [name for name, *_ in found]
        assert (names.count("same seed"), names.count("other draw")) == expected
        assert names.count("other seed") == 8
        assert names.count("draw ceiling a") == names.count("draw ceiling b") == 2
        assert names.count("ceiling a") == 4
        for name, (_, first), (_, second) in found:
            assert (first[0] == second[0]) == (
                name in ("same seed", "other draw") or "draw" in name
            )
            if same_runs and name == "same seed":
                assert first == second


def test_planted_agreement_is_found_where_it_is():
    table = compare_over_runs(*planted(), **OPTIONS)
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


def test_overlap_has_its_exact_chance_within_classes():
    a, b, images, labels = planted(RUNS)
    table = compare_over_runs(a, b, images, labels, **OPTIONS)
    rows = table[table["statistic"] == "overlap"]
    for row in rows[rows["pairing"] == "other seed"].itertuples():
        chosen = [
            np.argsort(-side[run])[:5]
            for side, run in ((a, (row.seed_a, row.draw_a)), (b, (row.seed_b, row.draw_b)))
        ]
        counts = [np.bincount(labels[c], minlength=3) for c in chosen]
        exact = overlap_test(int(row.value), *counts, [20, 20, 20])
        assert (row.chance, row.chance_p) == pytest.approx((exact.expected, exact.p_above))
        assert (row.exact_low, row.exact_high) == pytest.approx((exact.low, exact.high))
    assert table.loc[table["statistic"] != "overlap", "chance_p"].isna().all()
    # Within one class it is the plain hypergeometric one.
    candidates = labels == 1
    inside = compare_over_runs(a, b, images, labels, **OPTIONS | {"candidates": candidates})
    assert set(inside.loc[inside["statistic"] == "overlap", "chance"]) == {25 / 20}


def test_selections_name_the_samples():
    a, b, images, _ = planted()
    split = Split(images, np.arange(60) % 3, [f"id{i}" for i in range(60)])
    candidates = split.labels == 1
    table = list_selections({"a": a, "b": b}, split, candidates=candidates, k=4, largest=False)
    assert len(table) == 2 * 2 * 4 and (table["label"] == 1).all()
    first = table[(table["side"] == "a") & (table["seed"] == 3) & (table["draw"] == 0)]
    members = np.flatnonzero(candidates)
    assert first["index"].tolist() == members[np.argsort(a[3, 0][members])[:4]].tolist()
    assert first["id"].tolist() == [f"id{i}" for i in first["index"]]
    assert first["score"].is_monotonic_increasing and first["rank"].tolist() == [1, 2, 3, 4]
    assert table[["contrast", "detail", "distance"]].stack().between(0, 1).all()


def test_sides_need_the_same_runs():
    a, _, images, labels = planted()
    with pytest.raises(ValueError, match="both sides need the same runs"):
        compare_over_runs(a, {(3, 0): a[3, 0]}, images, labels, **OPTIONS)
