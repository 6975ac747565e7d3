"""What a training is known by beyond its weights: constants, and rates that led to checkpoints."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from gradval.data.store import Store
from gradval.training.recipe import Recipe


def facts_of_run(store: Store, recipe: Recipe, metrics: str | Path) -> dict[str, Any]:
    """What scores may leave open in their options (`gradval.scores.run_facts.with_facts`).

    Args:
        store: the data set.
        recipe: the hyper-parameters of the run.
        metrics: `metrics.csv` of the run.

    Returns:
        mean and std of the data set, and learning_rates of the checkpoints.
    """
    steps = [int(step) for step in pd.read_csv(metrics)["step"]]
    rates = mean_learning_rates(recipe, steps)
    return {"mean": list(store.mean), "std": list(store.std), "learning_rates": rates}


def mean_learning_rates(recipe: Recipe, steps: Sequence[int]) -> list[float]:
    """Mean learning rate of the steps that led to each checkpoint from the one before.

    Args:
        recipe: the hyper-parameters of the run.
        steps: completed steps at each checkpoint, ascending, as `metrics.csv` records them; the
            last is the length of the run.
    """
    begins = [0, *steps[:-1]]
    return [
        sum(recipe.learning_rate_at(step, steps[-1]) for step in range(begin, end)) / (end - begin)
        for begin, end in zip(begins, steps, strict=True)
    ]
