"""Removals of several sizes: useful difficulty, or class imbalance?

If the samples that a score ranks highest are useful because they are hard, their removal must hurt
more than random removal also when the same share of every class goes, the more so the fewer are
removed, and removal of the lowest must hurt less. If what hurts is that classes become uneven, the
effect vanishes within classes.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradval.study.arms import RANDOM

DOSES_KEY = ("dataset", "model", "privacy", "score", "end", "scope", "fraction", "quantity")
CLASSES_KEY = ("dataset", "model", "privacy", "score", "end", "scope", "fraction", "class")
# In points of test accuracy or recall, the random removal of as many subtracted; `uneven` in points
# between the classes that lost the largest and the smallest share.
ACCURACY, PER_1000, WORST, UNEVEN = "accuracy", "per 1,000 removed", "worst recall", "uneven"
_RUN = ("dataset", "model", "privacy", "seed", "draw")


def arm_rows(
    labels: NDArray[np.int64],
    kept: NDArray[np.int64],
    classes: Sequence[str],
    recall: NDArray[np.float64],
) -> pd.DataFrame:
    """What one removal took from each class, and how well each is recognised afterwards.

    Args:
        labels: (N,) of the training images.
        kept: positions of those that were kept.
        classes: their names.
        recall: of each class, of the test images.

    Returns:
        One row a class: class, images, removed, recall.
    """
    images = np.bincount(labels, minlength=len(classes))
    left = np.bincount(labels[kept], minlength=len(classes))
    return pd.DataFrame(
        {"class": list(classes), "images": images, "removed": images - left, "recall": recall}
    )


def dose_effects(arms: pd.DataFrame) -> pd.DataFrame:
    """The effect of every removal beside random removal of as many, and of as many of each class.

    Args:
        arms: rows of `arm_rows` with the columns dataset, model, privacy, seed, draw, score, end,
            scope, fraction and test_accuracy (in [0, 1]); the score `random` is the control.

    Returns:
        `DOSES_KEY`, seed, value: one row a run and quantity, `ACCURACY`, `PER_1000` (of it),
        `WORST` (recall of the worst class) and `UNEVEN` (no difference).

    Raises:
        ValueError: a removal has no control.
    """
    rows = []
    for key, mine, control in _with_controls(arms):
        gain = 100 * (mine["test_accuracy"].iloc[0] - control["test_accuracy"].iloc[0])
        share = mine["removed"] / mine["images"]
        found = {
            ACCURACY: gain,
            PER_1000: 1000 * gain / mine["removed"].sum(),
            WORST: 100 * (mine["recall"].min() - control["recall"].min()),
            UNEVEN: 100 * (share.max() - share.min()),
        }
        rows += [{**key, "quantity": name, "value": value} for name, value in found.items()]
    return pd.DataFrame(rows, columns=[*DOSES_KEY, "seed", "value"])


def class_effects(arms: pd.DataFrame) -> pd.DataFrame:
    """Of every class the share removed, and the recall gained beside random removal, in points.

    Args:
        arms: as in `dose_effects`.

    Returns:
        `CLASSES_KEY`, seed, removed_share (in percent of the class) and recall_gain.
    """
    rows = []
    for key, mine, control in _with_controls(arms):
        random = control.set_index("class")["recall"]
        for row in mine.to_dict("records"):
            share = 100 * row["removed"] / row["images"]
            gain = 100 * (row["recall"] - random[row["class"]])
            about = {"class": row["class"], "removed_share": share, "recall_gain": gain}
            rows.append({**key, **about})
    return pd.DataFrame(rows, columns=[*CLASSES_KEY, "seed", "removed_share", "recall_gain"])


def _with_controls(
    arms: pd.DataFrame,
) -> Iterator[tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]]:
    """Every removal: what identifies it, its rows, and those of the random one beside it."""
    by = [*_RUN, "scope", "fraction"]
    controls = dict(list(arms[arms["score"] == RANDOM].groupby(by, sort=False)))
    removals = arms[arms["score"] != RANDOM].groupby([*by, "score", "end"], sort=False)
    for values, mine in removals:
        key = dict(zip([*by, "score", "end"], values, strict=True))
        control = controls.get(values[: len(by)])
        if control is None:
            raise ValueError(f"removal by {key['score']}: there is no random removal of as many")
        yield key, mine, control
