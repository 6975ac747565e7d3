"""What names look like in print, beyond `gradval.study.names`: statistics, comparisons, figures."""

import re
from collections.abc import Iterable, Mapping

from gradval.study.experiments import Comparison
from gradval.study.names import (
    DATASET_LABELS,
    MODEL_LABELS,
    SCORE_LABELS,
    dataset_label,
    model_label,
    privacy_from_print,
    privacy_label,
    score_label,
    score_of,
)

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


def any_label(name: str) -> str:
    """A score, removal, model, data set or privacy level in print, whichever it is.

    Names of which this package knows nothing (a user's own, or words) stay as they are.
    """
    if name in SCORE_LABELS or score_of(name)[1]:
        return score_label(name)
    if name in MODEL_LABELS or name in DATASET_LABELS:
        return MODEL_LABELS.get(name) or DATASET_LABELS[name]
    try:
        return privacy_label(privacy_from_print(name))
    except ValueError:
        return name


def substitutes_label(parts: str) -> str:
    """Substitutes in words: "digits for cifar10; 2 for bird" as "digits for CIFAR-10; 2 for bird".

    Args:
        parts: as `gradval.study.experiments.substitutes_text` writes them.
    """
    pairs = [part.split(" for ") for part in parts.split("; ")]
    return "; ".join(" for ".join(any_label(name) for name in pair) for pair in pairs)


def against(names: Iterable[str]) -> str:
    """Both sides of a comparison in words: "ε = 1 against ε = 8", once if they are the same."""
    return " against ".join(dict.fromkeys(name for name in names if name))


def comparison_label(comparison: Comparison, selected: str = "") -> str:
    """A comparison in words, as "VoG, ResNet-18, ε = 1 against ε = 8, digits, class 2, largest".

    Args:
        comparison: the comparison.
        selected: which samples, instead of "largest" or "smallest": "25 largest".
    """
    return ", ".join(part for part in _parts(comparison, selected) if part)


def labels_apart(names: Iterable[str], comparisons: Mapping[str, Comparison]) -> dict[str, str]:
    """What some things are called where they stand side by side.

    Args:
        names: of comparisons, scores, removals, models, data sets or privacy levels.
        comparisons: by name.

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


def _parts(comparison: Comparison, selected: str = "") -> list[str]:
    """Scores, models, privacy levels, data set, class and end of a comparison in words."""
    sides = comparison.a, comparison.b
    return [
        against(score_label(side.score) for side in sides),
        against(model_label(side.model) for side in sides),
        against(privacy_label(side.privacy) for side in sides),
        dataset_label(comparison.dataset),
        f"class {comparison.class_name}" if comparison.class_name else "",
        selected or comparison.end,
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
