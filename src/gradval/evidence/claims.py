"""The claims table: all that the paper states about results, and the rule by which it is judged.

One row is one claim. The columns id to value quote the paper; the others say how it is judged:

- ``kind``: which procedure measures it (`KINDS`);
- ``source``: what it reads (`Claim.sources`), ``measure``: which quantity of it;
- ``tolerance``: how far from the paper's number ours may be, in the unit of that number;
- ``reference``, ``side``, ``null``, ``quantifier``, ``unit``: the rule (`Rule`);
- ``family``: the claims among which p-values are corrected by Holm; empty for a claim by itself.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from gradval.evidence.results import IMAGE_STATISTICS, require_columns
from gradval.selection import STATISTICS
from gradval.study.experiments import COMPARISON_KINDS, ORDERING_ONLY

PAPER_COLUMNS = (
    *("id", "section", "statement", "dataset", "model", "setting_a", "setting_b"),
    *("score_a", "score_b", "subset", "statistic", "value"),
)
RULE_COLUMNS = ("reference", "side", "null", "quantifier", "unit", "family")
MEASUREMENT_COLUMNS = ("kind", "source", "measure", "tolerance", *RULE_COLUMNS)

# What each kind can measure.
KINDS: dict[str, tuple[str, ...]] = {
    "comparison": STATISTICS,
    "dominant_class": ("dominant_class",),
    "selected_images": IMAGE_STATISTICS,
    "levels": ("overlap", "spearman"),
    "accuracy": ("test_accuracy", "train_accuracy"),
    "removal": ("test_accuracy", "train_accuracy"),
    "saving": ("training_gradients", "all_gradients"),
    "overhead": ("scoring_gradients",),
}
# References that are not names of comparisons, scores or removals, by kind.
SPECIAL: dict[str, tuple[str, ...]] = {
    "comparison": ("chance", "ceiling", "halfway", "reliability"),
    "selected_images": ("other_side",),
    "accuracy": ("previous_level",),
    "removal": ("next", "previous_level"),
}
# Kinds whose references may be names of their own.
NAMING = ("comparison", "levels", "removal")
SIDES = ("above", "below", "equal")
QUANTIFIERS = {
    **{"every": "", "some": "in some case ", "mean": "on average "},
    "every_level": "on average, at every ε, ",
}
# References in words, where they are not names.
REFERENCES = {
    "ceiling": "the ceiling",
    "halfway": "the middle between chance and ceiling",
    "other_side": "the other side",
    "next": "the next score",
    "previous_level": "the stricter level",
}
UNITS = ("seed", "sample", "count")


@dataclass(frozen=True, slots=True)
class Rule:
    """What the paper concludes, as a test of a difference.

    The difference is our value minus the reference, or our value itself without one. It shall lie
    above or below the null, or (``equal``) within ±null.

    Attributes:
        references: ``chance``; ``ceiling``: what two runs of the same setting agree to, compared
            like with like; ``halfway`` between these two; ``reliability``: our value is first
            divided by what the reliability of both scores lets one expect; ``@measure``: another
            statistic of the same comparison; ``next``: each source against the one behind it;
            ``previous_level``: each privacy level against the stricter one before it; or names of
            comparisons, scores or removals. Empty for the value itself.
        side: ``above``, ``below`` or ``equal``.
        null: the number, in the unit of the value.
        quantifier: of several differences ``every`` one must hold, or ``some`` one, or their
            ``mean``, or the mean at ``every_level`` of privacy.
        unit: what is repeated: ``seed`` (initial weights; at least five are needed for a verdict),
            ``sample`` (an exact test within each pair of runs), ``count`` (nothing: a number that
            follows from the settings).
    """

    references: tuple[str, ...]
    side: str
    null: float
    quantifier: str
    unit: str

    def __str__(self) -> str:
        return self.in_words({})

    def in_words(self, label: Mapping[str, str]) -> str:
        """As "above chance" or "every difference below Loss and Gradient norm".

        Args:
            label: what the references are called; by their names without it.
        """
        names = [REFERENCES.get(name) or label.get(name, name) for name in self.references]
        target = " and ".join(name.removeprefix("@") for name in names)
        which = QUANTIFIERS[self.quantifier]
        if self.side == "equal":
            return f"{which}equal to {target or '0'} within {self.null:g}"
        # The reliability has corrected the value; what it is compared with is the number.
        if self.references == ("reliability",):
            return f"{which}{self.side} {self.null:g} when corrected for reliability"
        number = f"{abs(self.null):g}" if self.null or not target else ""
        if not target:
            return f"{which}{self.side} {self.null:g}"
        by = f" {'plus' if self.null > 0 else 'minus'} {number}" if number else ""
        return f"{which}{self.side} {target}{by}"


@dataclass(frozen=True, slots=True)
class Claim:
    """One row of the claims table.

    Attributes:
        id, section, statement, dataset, model, statistic: as printed.
        settings: the privacy levels of its sides, in the paper's words.
        scores: the scores of its sides.
        printed: the paper's value as text; `value` is its number, NaN if it is an ordering only.
        kind: which procedure measures it.
        sources: names separated by ``|``: comparisons; for ``selected_images`` comparisons with the
            side, as ``fig7/a``; for ``levels`` scores; for ``accuracy`` privacy levels, from the
            strictest; for ``removal``, ``saving`` and ``overhead`` removals or scores.
        at: for ``removal`` and ``levels`` what follows the names behind ``/``: a privacy level, a
            pair of them as ``nonprivate:eps4``, or ``each``; and the share that is removed if it
            is not the paper's 0.25. Empty for other kinds.
        measure: which quantity.
        tolerance: in the unit of the value, NaN for an ordering.
        rule: what the paper concludes.
        family: claims among which p-values are corrected.
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
    at: tuple[str, ...]
    measure: str
    tolerance: float
    rule: Rule
    family: str

    @property
    def comparisons(self) -> tuple[str, ...]:
        """Names of all comparisons it needs, none for the kinds that read runs."""
        if self.kind not in COMPARISON_KINDS:
            return ()
        sources = (name.split("/")[0] for name in self.sources)
        special = SPECIAL.get(self.kind, ())
        named = (r for r in self.rule.references if r not in special and not r.startswith("@"))
        return tuple(dict.fromkeys((*sources, *named)))


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
        sources, *at = (
            (row["source"], "")
            if row["kind"] not in ("removal", "levels")
            else row["source"].split("/")
        )
        claim = Claim(
            **{name: row[name] for name in ("id", "section", "statement", "dataset", "model")},
            settings=tuple(s for s in (row["setting_a"], row["setting_b"]) if s),
            scores=(row["score_a"], row["score_b"]),
            statistic=row["statistic"],
            printed=row["value"],
            value=math.nan if row["value"] == ORDERING_ONLY else _number(row["value"], "value"),
            kind=row["kind"],
            sources=_split(sources),
            at=tuple(part for part in at if part),
            measure=row["measure"],
            tolerance=_number(row["tolerance"], "tolerance") if row["tolerance"] else math.nan,
            rule=Rule(
                references=_split(row["reference"]) if row["reference"] else (),
                side=row["side"],
                null=_number(row["null"], "null"),
                quantifier=row["quantifier"],
                unit=row["unit"],
            ),
            family=row["family"],
        )
        _check(claim)
    except ValueError as error:
        raise ValueError(f"claim {row['id']!r}: {error}") from None
    return claim


def _check(claim: Claim) -> None:
    """Refuse what no procedure could measure."""
    _one_of("kind", claim.kind, tuple(KINDS))
    _one_of("measure", claim.measure, KINDS[claim.kind])
    if not all(claim.sources):
        raise ValueError("source must not be empty")
    if claim.kind in ("removal", "levels") and not 1 <= len(claim.at) <= 2:
        raise ValueError("source must be names and a privacy level, as loss|vog/eps1 or vog/each")
    if claim.kind == "accuracy" and len(claim.sources) < 2:
        raise ValueError("source must be at least two privacy levels, as eps1|eps8")
    if claim.kind == "selected_images" and not all(
        name.endswith(("/a", "/b")) for name in claim.sources
    ):
        raise ValueError("source must be a comparison and a side, as fig7/a")
    if not math.isnan(claim.value) and not claim.tolerance >= 0:
        raise ValueError("a number needs a tolerance of at least 0")
    _check_rule(claim.kind, claim.measure, claim.rule)


def _check_rule(kind: str, measure: str, rule: Rule) -> None:
    _one_of("side", rule.side, SIDES)
    _one_of("quantifier", rule.quantifier, tuple(QUANTIFIERS))
    _one_of("unit", rule.unit, UNITS)
    if rule.side == "equal" and not rule.null > 0:
        raise ValueError("the null of an equality is the largest difference, above 0")
    special = [name for name in rule.references if name in SPECIAL.get(kind, ())]
    if special and len(rule.references) > 1:
        raise ValueError(f"the reference {special[0]} stands alone")
    if rule.references and not special and kind not in NAMING:
        allowed = ", ".join(SPECIAL.get(kind, ())) or "empty"
        raise ValueError(f"the reference of the kind {kind} must be {allowed}")
    others = [name for name in rule.references if name.startswith("@")]
    if any(name[1:] not in KINDS[kind] for name in others):
        raise ValueError(f"reference: {others[0]} is not a measure of the kind {kind}")
    if rule.unit == "sample" and (measure, rule.side, rule.references) != (
        *("overlap", "above"),
        ("chance",),
    ):
        raise ValueError("only an overlap above chance has an exact test over samples")
    if (rule.unit == "count") != (kind in ("saving", "overhead")):
        raise ValueError("the unit is count for the kinds saving and overhead, and no other")
    if rule.quantifier == "every_level" and kind != "removal":
        raise ValueError("every_level is for the kind removal")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")


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
