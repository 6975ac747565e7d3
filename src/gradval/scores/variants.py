"""Families of variants of the scores of checkpoints, each with its usual member."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FORM, WINDOW, COUNT = "form", "window", "count"
FEWEST = 3  # checkpoints of the family of counts
ALL = "all"
# The part of training that each score is usually taken from, and those that it is compared with.
USUAL = {"vog": ALL, "tracin": ALL, "el2n": "first", "grand": "first"}
WINDOWS = ("early", "late", ALL)


@dataclass(frozen=True)
class Variant:
    """One member of a family.

    Attributes:
        name: column in tables.
        score: the score that it is a variant of, for readers.
        family: `FORM` (of VoG), `WINDOW` (part of training) or `COUNT` (of checkpoints).
        label: what is special about it, in words.
        usual: name of the family's usual member.
        choice: the registered score that computes it.
        options: of that score.
    """

    name: str
    score: str
    family: str
    label: str
    usual: str
    choice: str
    options: Mapping[str, Any] = field(default_factory=dict)


def variants(checkpoints: int) -> list[Variant]:
    """All variants that so many checkpoints allow; a usual member stands in every family once.

    Args:
        checkpoints: K, at least 2.
    """
    forms = {
        "loss, as printed": (ALL, {}),
        "loss, std": ("std", {"statistic": "std"}),
        "logit, as printed": ("logit", {"target": "logit"}),
        "logit, std": ("logit_std", {"target": "logit", "statistic": "std"}),
    }
    found = [
        _variant("vog", FORM, label, suffix, options) for label, (suffix, options) in forms.items()
    ]
    # Half of two checkpoints is one, which has no variance.
    windows = WINDOWS if checkpoints >= FEWEST else (ALL,)
    for score, usual in USUAL.items():
        found += [
            _variant(score, WINDOW, window, window, {"checkpoints": window})
            for window in dict.fromkeys((usual, *windows))
        ]
    for count in range(FEWEST, checkpoints):
        label, suffix = f"K = {count}", str(count)
        found.append(_variant("vog", COUNT, label, suffix, {"checkpoints": count}))
    found.append(_variant("vog", COUNT, f"K = {checkpoints}", ALL, {"checkpoints": ALL}))
    return found


def _variant(
    score: str, family: str, label: str, suffix: str, options: Mapping[str, Any]
) -> Variant:
    choice = "vog_window" if score == "vog" else score
    usual = f"{score}_{USUAL[score]}"
    return Variant(f"{score}_{suffix}", score, family, label, usual, choice, options)
