"""The study of published values: what is right by construction must be measured as right."""

import numpy as np
import pandas as pd
import pytest

from gradval.federation.judgement import COMBINED, EVERY, JudgementOptions, judge, summary

OPTIONS = JudgementOptions({"loss": (0.0, 4.0)}, epsilons=[0.1, 16.0], draws=5)
LEVELS = (0.2, 0.4, 0.6, 3.5)


@pytest.fixture(scope="module")
def judged():
    """Four sites whose loss rises from one to the next, the last with wrong labels: worth less."""
    rng = np.random.default_rng(0)
    scores = {"loss": [np.clip(rng.normal(level, 0.1, 60), 0, 4) for level in LEVELS]}
    sites = pd.DataFrame(
        {
            "images": [60] * 4,
            "label_entropy": [1.0, 1.1, 1.2, 1.3],
            "planted": ["", "", "", "wrong_labels"],
            "worth": ["ordinary", "ordinary", "ordinary", "harmful"],
        }
    )
    truth = pd.DataFrame(
        {
            "shapley_accuracy": [0.4, 0.3, 0.2, -0.1],
            "shapley_loss": [0.4, 0.3, 0.2, -0.1],
            "own_loss": [-1.0, -1.1, -1.2, -5.0],
        }
    )
    return judge(sites, truth, scores, OPTIONS, seed=0)


def of(judged, method, rule, epsilon):
    at = (judged["method"] == method) & (judged["rule"] == rule) & (judged["epsilon"] == epsilon)
    (row,) = judged[at].to_dict("records")
    return row


def test_without_noise_the_order_is_exact(judged):
    row = of(judged, "loss", "mean", np.inf)
    assert row["kendall_accuracy"] == -1 and row["auroc_harmful"] == 1 and row["noise_moved"] == 0
    assert row["paid_harmful"] == pytest.approx(3.5 / 4.7 - 0.25, abs=0.02)
    assert np.isnan(row["paid_redundant"])  # there are none
    assert of(judged, "own_loss", "baseline", np.inf)["kendall_loss"] == 1
    assert of(judged, COMBINED, "mean", np.inf)["kendall_accuracy"] == -1
    assert of(judged, "loss", "distance", np.inf)["auroc_planted"] == 1


def test_noise_moves_rewards_the_more_the_smaller_epsilon_is(judged):
    moved = [of(judged, "loss", "mean", e)["noise_moved"] for e in (0.1, 16.0, np.inf)]
    assert moved[0] > 5 * moved[1] > moved[2] == 0
    assert of(judged, "loss", "mean", 16.0)["auroc_harmful"] == 1


def test_a_summary_is_over_seeds(judged):
    both = pd.concat([judged.assign(scenario="s", seed=seed) for seed in (0, 1)])
    table = summary(both)
    at = (table["method"] == "loss") & (table["rule"] == "mean") & (table["epsilon"] == np.inf)
    row = table[at & (table["measure"] == "kendall_accuracy")].iloc[0]
    assert row["mean"] == row["low"] == row["high"] == -1 and row["seeds"] == 2
    assert not table["mean"].isna().any()


def test_several_scenarios_are_summarised_together(judged):
    other = judged.assign(scenario="t", seed=0, kendall_accuracy=1.0)
    table = summary(pd.concat([judged.assign(scenario="s", seed=0), other]))
    at = (table["scenario"] == EVERY) & (table["method"] == "loss") & (table["rule"] == "mean")
    row = table[at & (table["epsilon"] == np.inf) & (table["measure"] == "kendall_accuracy")].iloc[
        0
    ]
    assert row["mean"] == 0 and row["seeds"] == 2
    assert EVERY not in set(summary(judged.assign(scenario="s", seed=0))["scenario"])
