"""The statistics of open questions: published numbers, SciPy, and effects that were planted."""

import numpy as np
import pandas as pd
import pytest
import scipy

from gradval.evidence.correlations import CORRELATION_KEY, score_correlations
from gradval.evidence.explained import EXPLAINED_KEY, explained_shares
from gradval.evidence.levels import ScoreTable
from gradval.evidence.over_seeds import over_seeds
from gradval.evidence.planted import PLANTED_KEY, planted_found
from gradval.evidence.reliability import (
    intraclass_correlation,
    reliability_by_seed,
    summarise_reliability,
)
from gradval.evidence.variants import VARIANTS_KEY, scale_agreement, variant_agreement
from gradval.scores.variants import variants

N, SEEDS, DRAWS = 600, 5, 2
LABELS = np.arange(N) % 3


def table(signals, noise: float = 0.5, seed: int = 0, draws: int = DRAWS) -> ScoreTable:
    """Scores of `SEEDS` x `draws` runs: a signal (N,) of each name, and fresh noise."""
    rng = np.random.default_rng(seed)
    rows, values = [], []
    for score, signal in signals.items():
        for run in range(SEEDS * draws):
            key = {"model": "m", "privacy": "eps1", "seed": run // draws, "draw": run % draws}
            rows.append({**key, "score": score})
            values.append(signal + noise * rng.normal(size=N))
    return ScoreTable("d", LABELS, pd.DataFrame(rows), np.array(values))


def normal(seed: int) -> np.ndarray:
    """Fixed values with mean 0 and variance 1."""
    return scipy.stats.zscore(np.random.default_rng(seed).normal(size=N), ddof=1)


def summary(by_seed: pd.DataFrame, keys, index) -> pd.DataFrame:
    return over_seeds(by_seed, keys).set_index(index)


# --- Reliability ----------------------------------------------------------------------------------
def test_intraclass_correlation_of_the_published_example():
    """Shrout and Fleiss (1979), table 2: six targets, four judges; ICC(3,1) is 0.71."""
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    assert intraclass_correlation(np.array(ratings, dtype=float)) == pytest.approx(0.7148, abs=5e-5)
    assert np.isnan(intraclass_correlation(np.ones((6, 4))))
    assert np.isnan(intraclass_correlation(np.array(ratings)[:, :1]))


def test_reliability_and_the_runs_that_are_needed_are_those_that_were_planted():
    # Signal variance 1, noise variance 1: half of the variance of a run is the sample's.
    found = summarise_reliability(
        reliability_by_seed(table({"noisy": normal(1), "sure": 10 * normal(1)}, noise=1.0))
    ).set_index(["scale", "score"])
    noisy = found.loc["raw", "noisy"]
    assert noisy["low"] < 0.5 < noisy["high"] and noisy["high"] - noisy["low"] < 0.2
    # Spearman and Brown: 9 (1 - r) / r runs.
    assert noisy["runs_needed"] == np.ceil(9 * (1 - noisy["value"]) / noisy["value"])
    assert noisy["runs_low"] <= noisy["runs_needed"] <= noisy["runs_high"]
    assert found.loc["raw", "sure"]["runs_needed"] == 1


def test_what_does_not_repeat_has_no_reliability():
    found = summarise_reliability(reliability_by_seed(table({"noise": 0 * normal(1)})))
    assert (found["low"] < 0.01).all() and (found["value"].abs() < 0.05).all()
    assert (found["runs_needed"] > 100).all()


# --- Correlations ---------------------------------------------------------------------------------
def test_correlations_are_those_of_scipy_within_classes():
    scores = table({"a": normal(1), "b": normal(1) + LABELS, "c": normal(2)})
    found = summary(score_correlations(scores), CORRELATION_KEY, ["score_a", "score_b"])
    values = {name: scores.values[scores.runs["score"] == name] for name in "abc"}
    expected = np.mean(
        [
            scipy.stats.spearmanr(a[label::3], b[label::3]).statistic
            for a, b in zip(values["a"], values["b"], strict=True)
            for label in range(3)
        ]
    )
    assert found.loc[("a", "b"), "value"] == pytest.approx(expected)
    assert found.loc[("a", "b"), "value"] == pytest.approx(found.loc[("b", "a"), "value"])
    assert found.loc[("a", "c"), "low"] < 0.1 and found.loc[("a", "b"), "low"] > 0.6
    # The diagonal: a score with itself in other runs, which shares no noise.
    assert 0.7 < found.loc[("a", "a"), "value"] < 0.9
    assert found.loc[("a", "a"), "n"] == SEEDS


# --- What is explained ----------------------------------------------------------------------------
def test_a_regression_explains_what_was_planted_and_nothing_else():
    looks = {"brightness": normal(5), "contrast": normal(6)}
    scores = table(
        {
            "looks": looks["brightness"] + looks["contrast"] ** 2,
            "class": 2.0 * LABELS,
            "own": normal(7),
            "nothing": 0 * normal(7),
        }
    )
    found = summary(explained_shares(scores, looks), EXPLAINED_KEY, ["score", "quantity"])["value"]
    assert found["looks", "image"] > 0.6 and abs(found["looks", "class"]) < 0.02
    assert found["class", "class"] > 0.8 and abs(found["class", "image"]) < 0.02
    assert found["looks", "class and image"] == pytest.approx(found["looks", "image"], abs=0.02)
    # Of the sample, but of neither: repeatable, and not explained.
    assert found["own", "repeatable"] > 0.6 and abs(found["own", "class and image"]) < 0.02
    assert abs(found["nothing", "repeatable"]) < 0.05
    assert found["looks", "slope of brightness"] > 0.4
    assert abs(found["own", "slope of brightness"]) < 0.1


# --- What was planted -----------------------------------------------------------------------------
def test_planted_samples_are_found_where_scores_know_them_and_not_elsewhere():
    wrong, twice = np.arange(60), np.arange(60, 120)
    high, low = np.zeros(N), np.zeros(N)
    high[wrong], low[twice] = 3, -3
    scores = table({"knows": high + low, "ignorant": 0 * high})
    found = planted_found(scores, {"wrong_labels": wrong, "duplicates": twice})
    seen = summary(found, PLANTED_KEY, ["score", "kind", "statistic"])
    for kind in ("wrong_labels", "duplicates"):
        assert seen.loc[("knows", kind, "auroc"), "low"] > 0.95
        assert seen.loc[("knows", kind, "precision"), "low"] > 0.9
        blind = seen.loc[("ignorant", kind, "auroc")]
        assert blind["low"] < 0.5 < blind["high"]
        assert seen.loc[("ignorant", kind, "precision"), "value"] == pytest.approx(0.1, abs=0.05)
    assert set(found["end"]) == {"largest", "smallest"}
    assert set(found.loc[found["statistic"] == "precision", "chance"]) == {0.1}


def test_auroc_is_the_share_of_pairs_in_the_right_order():
    scores = ScoreTable(
        "d",
        np.array([0, 0, 1, 1]),
        pd.DataFrame([{"model": "m", "privacy": "eps1", "seed": 0, "draw": 0, "score": "s"}]),
        np.array([[3.0, 1.0, 2.0, 2.0]]),
    )
    found = planted_found(scores, {"wrong_labels": np.array([0, 2])}).set_index("statistic")[
        "value"
    ]
    # Pairs: 3 > 1, 3 > 2, 2 > 1, 2 = 2 counts half.
    assert found["auroc"] == 3.5 / 4 and found["precision"] == 1.0


# --- Variants -------------------------------------------------------------------------------------
def test_families_of_variants():
    found = {variant.name: variant for variant in variants(5)}
    families = {f: [v.label for v in variants(5) if v.family == f] for f in ("form", "count")}
    assert families["count"] == ["K = 3", "K = 4", "K = 5"] and len(families["form"]) == 4
    assert found["vog_logit_std"].options == {"target": "logit", "statistic": "std"}
    assert all(variant.usual in found for variant in found.values())
    assert [v.label for v in variants(2) if v.family == "count"] == ["K = 2"]
    assert {v.label for v in variants(2) if v.family == "window"} == {"all", "first"}


def test_variants_agree_as_they_were_made_to():
    signal = normal(1)
    scores = table({"vog_all": signal, "vog_std": signal, "vog_logit": normal(2)})
    found = variant_agreement(scores, variants(5))
    forms = found[found["family"] == "form"]
    seen = summary(forms, VARIANTS_KEY, ["variant", "statistic", "quantity"])["value"]
    same, own = "with the usual one", "between seeds"
    assert seen["loss, as printed", "spearman", same] == pytest.approx(1)
    assert seen["loss, as printed", "overlap", same] == pytest.approx(1)
    # As well as two runs agree with each other; the other as chance has it (25 of 200).
    apart = seen["loss, std", "spearman", same] - seen["loss, as printed", "spearman", own]
    assert abs(apart) < 0.05
    assert seen["logit, as printed", "overlap", same] == pytest.approx(25 / 200, abs=0.08)
    assert seen["logit, as printed", "spearman", own] > 0.6
    assert set(found["variant"]) == {
        *("loss, as printed", "loss, std", "logit, as printed", "all", "K = 5"),
    }


def test_scales_change_selections_over_all_classes_as_they_must():
    # The scores of one class are a hundred times those of the others.
    scale = np.where(LABELS == 2, 100.0, 1.0)
    scores = table({"s": 0 * scale}, draws=1)
    scores = ScoreTable("d", LABELS, scores.runs, scores.values * scale)
    found = scale_agreement(scores)
    seen = summary(found, VARIANTS_KEY, ["variant", "statistic", "quantity"])["value"]
    assert seen["raw", "largest class", "in one run"] == 1.0
    assert seen["minmax", "largest class", "in one run"] < 0.6
    assert seen["minmax", "overlap", "with the usual one"] == 1.0
    assert seen["raw", "overlap", "with the usual one"] < 0.6
