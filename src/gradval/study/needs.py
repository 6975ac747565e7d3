"""What the comparisons and figures of a study ask of each data set."""

from gradval.data.needs import Need
from gradval.study.experiments import Comparison, Experiments


def needs_of(run: Experiments, k: int, dataset: str) -> list[Need]:
    """Training images, and classes, that selections from a data set need.

    Args:
        run: the comparisons and figures that are made.
        k: size of the selections.
        dataset: key of the data set in the config.
    """
    compared = [
        Need(_asked_by(comparison), k, comparison.class_name)
        for comparison in run.comparisons.values()
        if comparison.dataset == dataset
    ]
    shown = [
        Need(f"figure {figure.name}", k, figure.class_name)
        for figure in run.figures.values()
        if figure.kind == "extremes" and figure.dataset == dataset
    ]
    return compared + shown


def _asked_by(comparison: Comparison) -> str:
    """A comparison, and the key that names its class if it is not the comparison's own."""
    named = [
        paper for paper, ours in comparison.substitutes.items() if ours == comparison.class_name
    ]
    key = f" (substitutes.classes.{named[0]})" if named else ""
    return f"comparison {comparison.name}{key}"
