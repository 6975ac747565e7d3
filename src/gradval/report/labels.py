"""What names look like in print: the one place from which tables and figures take their words."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

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
OF_IMAGES = ("ssim_matched", "ssim_rank", "bhattacharyya")  # statistics that compare pixels
ACCOUNTANT_LABELS = {"pld": "PLD", "rdp": "RDP", "prv": "PRV"}

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


def accountant_label(name: str) -> str:
    """A privacy accountant in print; a name without a label of its own stays as it is."""
    return ACCOUNTANT_LABELS.get(name, name)


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
    epsilon = privacy_key(name)
    return "non-private" if math.isinf(epsilon) else f"ε = {epsilon:g}"


def privacy_key(name: str) -> float:
    """Sort key of a privacy level: non-private first, then ε by value.

    Raises:
        ValueError: it is neither ``nonprivate`` nor ``eps`` and a number.
    """
    if name == "nonprivate":
        return -math.inf
    match = _PRIVACY.fullmatch(name)
    if match is None:
        raise ValueError(f"unknown privacy level {name!r}; it must be nonprivate or like eps4")
    return float(match[1])


def privacy_order(names: Iterable[str]) -> list[str]:
    """Distinct privacy levels: non-private first, then ε ascending; ValueError as `privacy_key`."""
    return sorted(set(names), key=privacy_key)


def score_order(names: Iterable[str]) -> list[str]:
    """Distinct scores: the paper's in its order, then others by name, then the two controls.

    Raw scores stand before released ones.
    """
    return sorted(set(names), key=removal_order)


def any_label(name: str) -> str:
    """A score, removal, model, data set or privacy level in print, whichever it is.

    Names of which this package knows nothing (a user's own, or words) stay as they are.
    """
    level = name.replace("eps=", "eps")  # the claims table writes eps=4
    if level == "nonprivate" or _PRIVACY.fullmatch(level):
        return privacy_label(level)
    score, _ = score_of(name)
    if score in SCORE_LABELS:
        return score_label(name)
    return MODEL_LABELS.get(name) or dataset_label(name)


def substitutes_label(parts: str) -> str:
    """Substitutes in words: "digits for cifar10; 2 for bird" as "digits for CIFAR-10; 2 for bird".

    Args:
        parts: as `gradval.study.experiments.stand_in_text` writes them.
    """
    pairs = [part.split(" for ") for part in parts.split("; ")]
    return "; ".join(" for ".join(any_label(name) for name in pair) for pair in pairs)


def against(names: Iterable[str]) -> str:
    """Both sides of a comparison in words: "ε = 1 against ε = 8", once if they are the same."""
    return " against ".join(dict.fromkeys(name for name in names if name))


def comparison_label(definition: Mapping[str, Any], selected: str = "") -> str:
    """A comparison in words, as "VoG, ResNet-18, ε = 1 against ε = 8, digits, class 2, largest".

    Args:
        definition: as `gradval.study.experiments.describe` returns it.
        selected: which samples, instead of "largest" or "smallest": "25 largest".
    """
    return ", ".join(part for part in _parts(definition, selected) if part)


def labels_apart(
    names: Iterable[str], comparisons: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """What some things are called where they stand side by side.

    Args:
        names: of comparisons, scores, removals, models, data sets or privacy levels.
        comparisons: their definitions, as `gradval.study.experiments.describe` returns them.

    Returns:
        A label of each name; of several comparisons only what tells them apart.
    """
    parts = {name: _parts(comparisons[name]) for name in names if name in comparisons}
    same = [len(set(column)) == 1 for column in zip(*parts.values(), strict=True)]
    labels = {name: any_label(name) for name in names}
    for name, texts in parts.items():
        differing = [text for text, shared in zip(texts, same, strict=True) if text and not shared]
        labels[name] = ", ".join(differing or filter(None, texts))
    return labels


def _parts(definition: Mapping[str, Any], selected: str = "") -> list[str]:
    """Scores, models, privacy levels, data set, class and end of a comparison in words."""
    sides = definition["a"], definition["b"]
    return [
        against(score_label(side["score"]) for side in sides),
        against(model_label(side["model"]) for side in sides),
        against(privacy_label(side["privacy"]) for side in sides),
        dataset_label(definition["dataset"]),
        f"class {definition['class_name']}" if definition["class_name"] else "",
        selected or ("largest" if definition["largest"] else "smallest"),
    ]


def figure_label(name: str) -> str:
    """A figure in print: "Figure 10" for "figure10"; other names stay as they are.

    Short numbers are led by a second space, of which a page shows one: where labels are sorted
    letter by letter (in Snakemake's report), figure 2 precedes figure 10.
    """
    match = re.fullmatch(r"figure(\d+)", name)
    return f"Figure {match[1]:>2}" if match else name


def shorten(name: str, length: int) -> str:
    """A name cut to the width of `length` characters, an ellipsis taking that of two."""
    return name if len(name) <= length else name[: length - 2].rstrip() + "…"
