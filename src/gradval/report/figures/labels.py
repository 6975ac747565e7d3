"""Names as they appear in print, and the one colour that each score has in every figure."""

import math
import re
from collections.abc import Iterable

from gradval.study.experiments import removal_order, score_of

# The four scores of the paper, then the two controls of Table 1; figures keep this order.
SCORE_LABELS = {
    "loss": "Loss",
    "grad_norm": "Gradient norm",
    "vog": "VoG",
    "plis": "PLIS",
    "random": "Random",
    "none": "No removal",
}
MODEL_LABELS = {
    "resnet9": "ResNet-9",
    "resnet18": "ResNet-18",
    "resnet101": "ResNet-101",
    "resnext101": "ResNeXt-101",
    "wideresnet50": "WideResNet-50",
    "wideresnet101": "WideResNet-101",
}
DATASET_LABELS = {"cifar10": "CIFAR-10", "cinic10": "CINIC-10", "pppd": "PPPD", "digits": "digits"}
STATISTIC_LABELS = {
    "overlap": "Overlap",
    "ssim_matched": "SSIM (matched pairs)",
    "ssim_rank": "SSIM (equal ranks)",
    "bhattacharyya": "Bhattacharyya distance",
    "pearson": "Pearson correlation",
    "pearson_top_a": "Pearson (top of {a})",
    "pearson_top_b": "Pearson (top of {b})",
    "pearson_extremes": "Pearson (extremes)",
    "spearman": "Spearman correlation",
}

# Okabe and Ito's palette, which people with any common colour vision can tell apart.
SCORE_COLOURS = {
    "loss": "#E69F00",
    "grad_norm": "#56B4E9",
    "vog": "#0072B2",
    "plis": "#D55E00",
    "random": "#7F7F7F",
    "none": "#000000",
}
SPARE_COLOURS = ("#CC79A7", "#F0E442")  # for scores that users add
COMMON_COLOUR = "#009E73"  # what two selections have in common; no score has it

_PRIVACY = re.compile(r"eps(\d+(?:\.\d+)?)")


def score_label(name: str) -> str:
    """A score or a control in print; a name without a label of its own stays as it is."""
    score, released = score_of(name)
    return SCORE_LABELS.get(score, score) + (", released" if released else "")


def model_label(name: str) -> str:
    """A model in print; a name without a label of its own stays as it is."""
    return MODEL_LABELS.get(name, name)


def dataset_label(name: str) -> str:
    """A data set in print; a name without a label of its own stays as it is."""
    return DATASET_LABELS.get(name, name)


def statistic_label(name: str, sides: tuple[str, str] = ("left", "right")) -> str:
    """A statistic in print, with what the two sides of the comparison are called.

    Raises:
        ValueError: there is no such statistic.
    """
    if name not in STATISTIC_LABELS:
        raise ValueError(f"unknown statistic {name!r}; known are {', '.join(STATISTIC_LABELS)}")
    return STATISTIC_LABELS[name].format(a=sides[0], b=sides[1])


def privacy_label(name: str) -> str:
    """A privacy level in print: "ε = 4" for "eps4", "non-private" for "nonprivate".

    Raises:
        ValueError: the name is not a privacy level.
    """
    epsilon = _epsilon(name)
    return "non-private" if math.isinf(epsilon) else f"ε = {name.removeprefix('eps')}"


def shorten(name: str, length: int) -> str:
    """A name cut to the width of `length` characters, an ellipsis taking that of two."""
    return name if len(name) <= length else name[: length - 2].rstrip() + "…"


def privacy_order(names: Iterable[str]) -> list[str]:
    """Distinct privacy levels, from most private to non-private; ValueError as `privacy_label`."""
    return sorted(set(names), key=_epsilon)


def score_order(names: Iterable[str]) -> list[str]:
    """Distinct scores: the paper's in its order, then others by name, then the two controls.

    Raw scores stand before released ones.
    """
    return sorted(set(names), key=removal_order)


def score_colours(names: Iterable[str]) -> dict[str, str]:
    """The colour of each score: fixed for those in `SCORE_COLOURS`, a spare one for others.

    A released score has the colour of the score.
    """
    scores = {name: score_of(name)[0] for name in score_order(names)}
    others = dict.fromkeys(score for score in scores.values() if score not in SCORE_COLOURS)
    spare = {name: SPARE_COLOURS[i % len(SPARE_COLOURS)] for i, name in enumerate(others)}
    return {name: SCORE_COLOURS.get(score) or spare[score] for name, score in scores.items()}


def _epsilon(name: str) -> float:
    match = _PRIVACY.fullmatch(name)
    if match is None and name != "nonprivate":
        raise ValueError(f"unknown privacy level {name!r}; it must be nonprivate or like eps4")
    return float(match[1]) if match else math.inf
