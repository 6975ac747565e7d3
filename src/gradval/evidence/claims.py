"""The claims table: every number and ordering that the paper prints, and how it is measured here.

One row is one claim. The columns id to value quote the paper; the others say how it is measured:

- ``kind``: which procedure (`KINDS`);
- ``source``: what it reads, separated by ``|``: comparisons; for ``table1`` the removal and the
  privacy level, as ``loss/eps1``; for ``accuracy_gap`` two privacy levels (second minus first); for
  ``train_accuracy`` and ``training_time`` removals; for ``scoring_time`` ``each`` (every run);
- ``measure``: the statistic of a comparison, or the column of the runs;
- ``tolerance``: how far from the paper's number ours may be, in the unit of that number;
- ``direction``: what the paper concludes, as a rule such as ``> chance`` (`Rule`).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from gradval.evidence.results import require_columns
from gradval.selection import STATISTICS

PAPER_COLUMNS = (
    *("id", "section", "statement", "dataset", "model", "setting_a", "setting_b"),
    *("score_a", "score_b", "subset", "statistic", "value"),
)
MEASUREMENT_COLUMNS = ("kind", "source", "measure", "tolerance", "direction")
ORDERING_ONLY = "ordering only"
LEVELS = ("chance", "ceiling")

# What each kind can measure.
KINDS: dict[str, tuple[str, ...]] = {
    "comparison": STATISTICS,
    "ordering": STATISTICS,
    "dominant_class": ("dominant_class",),
    "accuracy_gap": ("test_accuracy",),
    "table1": ("test_accuracy",),
    "train_accuracy": ("train_accuracy",),
    "training_time": ("training_seconds",),
    "scoring_time": ("scoring_seconds",),
}
# Kinds whose sources are comparisons, kinds whose rule must name others, and kinds whose rule may.
OF_COMPARISONS = ("comparison", "ordering", "dominant_class")
RULED_BY_NAMES = ("ordering", "train_accuracy")
MAY_NAME = ("comparison", "table1", *RULED_BY_NAMES)


@dataclass(frozen=True, slots=True)
class Rule:
    """A direction: our value lies above or below something.

    Attributes:
        above: True for ``>``, False for ``<``.
        number: the number to compare with, NaN if it is not one.
        names: otherwise ``("chance",)``, ``("ceiling",)``, or other sources of the same kind
            (comparisons, removals), each of which must be beaten.
    """

    above: bool
    number: float = math.nan
    names: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """Parse ``> chance``, ``< 0.5``, ``> vog|plis`` and the like.

        Raises:
            ValueError: it is not such a rule.
        """
        match = re.fullmatch(r"([<>]) (\S+)", text)
        if match is None:
            raise ValueError(f"a direction reads like '> chance' or '< 0.5', got {text!r}")
        above = match[1] == ">"
        try:
            return cls(above, number=float(match[2]))
        except ValueError:
            return cls(above, names=_split(match[2]))

    @property
    def level(self) -> str:
        """``chance``, ``ceiling``, or nothing."""
        return next((name for name in self.names if name in LEVELS), "")

    @property
    def others(self) -> tuple[str, ...]:
        """The other sources that it refers to."""
        return () if self.level else self.names

    def in_words(self, label: Mapping[str, str]) -> str:
        """As "above chance" or "below Loss and Gradient norm".

        Args:
            label: what each of `others` is called.
        """
        names = [label.get(name, name) for name in self.names]
        target = {"ceiling": "the ceiling"}.get(self.level) or " and ".join(names)
        return f"{'above' if self.above else 'below'} {target or f'{self.number:g}'}"

    def __str__(self) -> str:
        target = "|".join(self.names) if self.names else f"{self.number:g}"
        return f"{'>' if self.above else '<'} {target}"


@dataclass(frozen=True, slots=True)
class Claim:
    """One row of the claims table.

    Attributes:
        id, section, statement, dataset, model, statistic: as printed.
        settings: the privacy levels of its sides, in the paper's words.
        scores: the scores of its sides.
        printed: the paper's value as text; `value` is its number, NaN if it is an ordering only.
        kind, sources, measure: how it is measured.
        tolerance: in the unit of the value, NaN for an ordering.
        rule: what the paper concludes; None if only the number matters.
    """

    id: str
    section: str
    statement: str
    dataset: str
    model: str
    settings: tuple[str, ...]
    scores: tuple[str, str]
    statistic: str
    printed: str
    value: float
    kind: str
    sources: tuple[str, ...]
    measure: str
    tolerance: float
    rule: Rule | None

    @property
    def comparisons(self) -> tuple[str, ...]:
        """Names of all comparisons it needs, none for the kinds that read runs."""
        if self.kind not in OF_COMPARISONS:
            return ()
        return self.sources + (self.rule.others if self.rule else ())


def read_claims(path: str | Path) -> pd.DataFrame:
    """Read a claims table, all columns as text, and check it.

    Raises:
        ValueError: as in `parse_claims`.
    """
    claims = pd.read_csv(path, dtype=str, keep_default_na=False)
    parse_claims(claims)
    return claims


def parse_claims(claims: pd.DataFrame) -> list[Claim]:
    """Parse every row of a claims table.

    Args:
        claims: text columns `PAPER_COLUMNS` and `MEASUREMENT_COLUMNS`; others are ignored.

    Raises:
        ValueError: a column is missing, an id occurs twice, or a row is not valid (the message
            names it).
    """
    require_columns(claims, PAPER_COLUMNS + MEASUREMENT_COLUMNS, "claims table")
    if not claims["id"].is_unique:
        twice = claims["id"][claims["id"].duplicated()].iloc[0]
        raise ValueError(f"claims table: ids must be unique, but {twice!r} occurs twice")
    return [_parse(row) for _, row in claims.iterrows()]


def _parse(row: pd.Series) -> Claim:
    try:
        claim = Claim(
            **{name: row[name] for name in ("id", "section", "statement", "dataset", "model")},
            settings=tuple(s for s in (row["setting_a"], row["setting_b"]) if s),
            scores=(row["score_a"], row["score_b"]),
            statistic=row["statistic"],
            printed=row["value"],
            value=math.nan if row["value"] == ORDERING_ONLY else _number(row["value"], "value"),
            kind=row["kind"],
            sources=_split(row["source"]),
            measure=row["measure"],
            tolerance=_number(row["tolerance"], "tolerance") if row["tolerance"] else math.nan,
            rule=Rule.parse(row["direction"]) if row["direction"] else None,
        )
        _check(claim)
    except ValueError as error:
        raise ValueError(f"claim {row['id']!r}: {error}") from None
    return claim


def _check(claim: Claim) -> None:
    """Refuse what no procedure could measure."""
    if claim.kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {claim.kind!r}")
    if claim.measure not in KINDS[claim.kind]:
        allowed = ", ".join(KINDS[claim.kind])
        raise ValueError(f"measure must be one of {allowed}, got {claim.measure!r}")
    if not all(claim.sources):
        raise ValueError("source must not be empty")
    _check_sources(claim)
    if math.isnan(claim.value) and claim.rule is None:
        raise ValueError("an ordering needs a direction")
    if not math.isnan(claim.value) and not claim.tolerance >= 0:
        raise ValueError("a number needs a tolerance of at least 0")
    if claim.rule is not None:
        _check_rule(claim.kind, claim.rule)


def _check_sources(claim: Claim) -> None:
    n = len(claim.sources)
    if claim.kind in ("comparison", "dominant_class") and n != 1:
        raise ValueError(f"source must be one comparison, got {n}")
    if claim.kind == "accuracy_gap" and n != 2:
        raise ValueError(f"source must be two privacy levels, as eps1|eps8, got {n}")
    if claim.kind == "table1" and (n != 1 or claim.sources[0].count("/") != 1):
        raise ValueError("source must be a removal and a privacy level, as loss/eps1")


def _check_rule(kind: str, rule: Rule) -> None:
    if rule.level and (kind != "comparison" or len(rule.names) > 1):
        raise ValueError(f"only a comparison has a {rule.level} level to compare with, alone")
    if kind in RULED_BY_NAMES and not rule.others:
        raise ValueError(f"the direction of the kind {kind} must name what to compare with")
    if kind not in MAY_NAME and rule.names:
        raise ValueError(f"the direction of the kind {kind} must be relative to a number")


def _number(text: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a number, got {text!r}")
    return number


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))
