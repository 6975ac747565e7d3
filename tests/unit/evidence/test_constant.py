"""Runs beside the constant answer."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from gradval.evidence.constant import beside_constant_answer, constant_accuracy, no_better
from gradval.report.runs import runs_table
from gradval.report.tables import markdown_text

KEY = {"model": "resnet9", "privacy": "eps8", "draw": 0, "train_accuracy": 0.9}


def runs(*accuracies: float, samples: int = 150) -> pd.DataFrame:
    rows = [
        {"dataset": "mine", **KEY, "seed": i, "test_accuracy": a, "test_samples": samples}
        for i, a in enumerate(accuracies)
    ]
    return beside_constant_answer(pd.DataFrame(rows), {"mine": 0.5})


def test_the_constant_answer_is_the_most_frequent_class() -> None:
    assert constant_accuracy(np.array([0, 2, 2, 1])) == 0.5


@pytest.mark.parametrize("correct", [0, 40, 75, 87, 90, 150])
def test_a_run_is_better_if_its_interval_lies_above(correct: int) -> None:
    (row,) = runs(correct / 150).to_dict("records")
    interval = binomtest(correct, 150).proportion_ci(method="wilson")
    assert row["test_accuracy_low"] == pytest.approx(interval.low)
    assert row["test_accuracy_high"] == pytest.approx(interval.high)
    assert row["better_than_constant"] == (interval.low > 0.5) == (correct >= 88)


def test_what_is_no_better_is_said_once_a_setting_with_numbers() -> None:
    assert no_better(runs(0.9, 0.8)) == []
    (said,) = no_better(runs(0.9, 0.52, 0.5))
    assert said.startswith("ResNet-9 on mine, ε = 8: test accuracy 50.0% (95% interval 42.1% to 57")
    assert "in 2 of 3 runs is no better than always" in said


def test_the_page_says_it_in_a_row_and_below() -> None:
    page = markdown_text("Accuracies", [runs_table(runs(0.9, 0.5))])
    good, poor = (line for line in page.splitlines() if line.startswith("| mine"))
    assert "✓ yes" in good and "✗ no" in poor and "| 50.0 % | ✗" in poor
    assert "its scores say little" in page
