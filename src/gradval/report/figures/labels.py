"""Names as they appear in print, and the one colour that each score has in every figure."""

from collections.abc import Iterable

from gradval.study.names import (
    DATASET_LABELS,
    MODEL_LABELS,
    SCORE_LABELS,
    dataset_label,
    model_label,
    privacy_label,
    privacy_order,
    score_label,
    score_of,
    score_order,
)

__all__ = [
    "DATASET_LABELS",
    "MODEL_LABELS",
    "SCORE_LABELS",
    "dataset_label",
    "model_label",
    "privacy_label",
    "privacy_order",
    "score_colours",
    "score_label",
    "score_order",
    "shorten",
    "statistic_label",
]

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


def statistic_label(name: str, sides: tuple[str, str] = ("left", "right")) -> str:
    """A statistic in print, with what the two sides of the comparison are called.

    Raises:
        ValueError: there is no such statistic.
    """
    if name not in STATISTIC_LABELS:
        raise ValueError(f"unknown statistic {name!r}; known are {', '.join(STATISTIC_LABELS)}")
    return STATISTIC_LABELS[name].format(a=sides[0], b=sides[1])


def shorten(name: str, length: int) -> str:
    """A name cut to the width of `length` characters, an ellipsis taking that of two."""
    return name if len(name) <= length else name[: length - 2].rstrip() + "…"


def score_colours(names: Iterable[str]) -> dict[str, str]:
    """The colour of each score: fixed for those in `SCORE_COLOURS`, a spare one for others.

    A released score has the colour of the score.
    """
    scores = {name: score_of(name)[0] for name in score_order(names)}
    others = dict.fromkeys(score for score in scores.values() if score not in SCORE_COLOURS)
    spare = {name: SPARE_COLOURS[i % len(SPARE_COLOURS)] for i, name in enumerate(others)}
    return {name: SCORE_COLOURS.get(score) or spare[score] for name, score in scores.items()}
