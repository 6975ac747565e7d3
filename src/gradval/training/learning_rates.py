"""The learning rates that led to checkpoints."""

from collections.abc import Sequence

from gradval.training.recipe import Recipe


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
