"""The one colour that each score has in every figure, and those of privacy levels.

Okabe and Ito's palette, which people with any common colour vision can tell apart. No figure
relies on colour alone: marks, lines or places differ as well.
"""

from collections.abc import Iterable

from gradval.study.names import score_of, score_order

SCORE_COLOURS = {
    "loss": "#E69F00",
    "grad_norm": "#56B4E9",
    "vog": "#0072B2",
    "plis": "#D55E00",
    "el2n": "#CC79A7",
    "grand": "#882255",
    "forgetting": "#999933",
    "tracin": "#332288",
    "random": "#7F7F7F",
    "none": "#000000",
}
SPARE_COLOURS = ("#44AA99", "#F0E442")  # for scores that users add
COMMON_COLOUR = "#009E73"  # what two selections have in common; no score has it
GREY = "#D0D0D0"


def score_colours(names: Iterable[str]) -> dict[str, str]:
    """The colour of each score: fixed for those in `SCORE_COLOURS`, a spare one for others.

    A released score has the colour of the score.
    """
    scores = {name: score_of(name)[0] for name in score_order(names)}
    others = dict.fromkeys(score for score in scores.values() if score not in SCORE_COLOURS)
    spare = {name: SPARE_COLOURS[i % len(SPARE_COLOURS)] for i, name in enumerate(others)}
    return {name: SCORE_COLOURS.get(score) or spare[score] for name, score in scores.items()}
