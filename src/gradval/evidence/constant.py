"""Which runs have learnt nothing: their accuracy beside that of always giving the same answer.

A run counts as better than the constant answer if the interval of its test accuracy lies above the
share of the most frequent class of the test set. Scores of a run that is not say little about the
samples.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from gradval.study.names import dataset_label, model_label, privacy_label

# Of the interval, which is Wilson's.
CONFIDENCE = 0.95
ADVICE = (
    "its scores say little about the images; try another learning rate, more epochs or a smaller "
    "model (docs/faq.md)"
)


def constant_accuracy(labels: NDArray[np.integer]) -> float:
    """The share in (0, 1] of the most frequent class.

    Args:
        labels: `(N,)` of the test set, N > 0.
    """
    return float(np.bincount(labels).max() / len(labels))


def beside_constant_answer(runs: pd.DataFrame, constant: Mapping[str, float]) -> pd.DataFrame:
    """Runs with what the constant answer would have got, and whether they are better.

    Args:
        runs: with the columns dataset, test_accuracy (0 to 1) and test_samples.
        constant: data set -> `constant_accuracy` of its test set.

    Returns:
        The same with the columns constant_accuracy, test_accuracy_low, test_accuracy_high (a 95%
        interval of the accuracy on images of the same kind) and better_than_constant.
    """
    correct = (runs["test_accuracy"] * runs["test_samples"]).round()
    low, high = proportion_confint(
        correct, runs["test_samples"], alpha=1 - CONFIDENCE, method="wilson"
    )
    constantly = runs["dataset"].map(dict(constant))
    return runs.assign(
        constant_accuracy=constantly,
        test_accuracy_low=low,
        test_accuracy_high=high,
        better_than_constant=low > constantly,
    )


def no_better(runs: pd.DataFrame) -> list[str]:
    """A sentence for each setting with runs that are no better than the constant answer.

    Args:
        runs: as `beside_constant_answer` returns them, with the columns model and privacy too.
    """
    said = []
    for (dataset, model, privacy), rows in runs.groupby(["dataset", "model", "privacy"]):
        poor = rows[~rows["better_than_constant"]]
        if poor.empty:
            continue
        worst = poor.sort_values("test_accuracy").iloc[0]
        of_runs = f" in {len(poor)} of {len(rows)} runs" if len(rows) > 1 else ""
        said.append(
            f"{model_label(str(model))} on {dataset_label(str(dataset))}, "
            f"{privacy_label(str(privacy))}: test accuracy {_percent(worst['test_accuracy'])} "
            f"(95% interval {_percent(worst['test_accuracy_low'])} to "
            f"{_percent(worst['test_accuracy_high'])}){of_runs} is no better than always giving "
            f"the most frequent answer, {_percent(worst['constant_accuracy'])}"
        )
    return said


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"
