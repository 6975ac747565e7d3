"""The scorecard: what the results say about every claim of the paper, by its own rule."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from gradval.evidence.claims import Claim, parse_claims
from gradval.evidence.margins import (
    NOT_RUN,
    VERDICTS,
    Margin,
    decide,
    guarded,
    margin_of,
    number_matches,
)
from gradval.evidence.measurement import Measurement, measure
from gradval.evidence.results import Evidence, RunSetting
from gradval.evidence.scale import scale_of
from gradval.evidence.statistics import FEWEST_REPLICATES, LEVEL, holm

NUMBER_COLUMNS = (
    *("ours", "low", "high", "n", "margin", "margin_low", "margin_high", "p", "p_adjusted"),
    *("chance", "draw_ceiling", "seed_ceiling", "other_weights"),
)
TEXT_COLUMNS = (
    *("id", "section", "statement", "statistic", "paper", "verdict", "number_matches", "scale"),
    *("sizes", "rule", "unit", "family", "paper_dataset", "dataset", "paper_model", "model"),
    *("paper_privacy", "privacy", "substitutes", "reading"),
)
SCORECARD_COLUMNS = TEXT_COLUMNS[:9] + NUMBER_COLUMNS + TEXT_COLUMNS[9:]

# Decimals and unit with which a reading writes values, by kind or measure.
FORMATS: Mapping[str, tuple[int, str]] = {
    "accuracy": (1, " points"),
    "removal": (1, ""),
    "saving": (1, " %"),
    "levels": (3, ""),
    "overlap": (1, ""),
}


# What each of some names that stand together is called.
Labels = Callable[[Sequence[str]], Mapping[str, str]]


def no_labels(names: Sequence[str]) -> dict[str, str]:
    """Call everything by its name."""
    return {name: name for name in names}


def build_scorecard(
    claims: pd.DataFrame,
    evidence: Evidence,
    context: Mapping[str, RunSetting | None],
    labels: Labels = no_labels,
) -> pd.DataFrame:
    """Judge every claim.

    Args:
        claims: a claims table (`gradval.evidence.claims`).
        evidence: the results there are.
        context: what was run, by claim id; else by each comparison that the claim needs; for
            claims that read runs by kind (``removal``, ...). None, or no entry: not run.
        labels: what comparisons, removals, data sets, models and privacy levels that stand in one
            reading are called there; as they are by default.

    Returns:
        `SCORECARD_COLUMNS`, one row a claim, in the order of the table. `ours` (with its 95%
        interval from `low` to `high` over `n` seeds), `chance` and the ceilings are in the unit of
        the paper's value. `margin` says by how much the claim holds (`Margin`); `p_adjusted` is
        corrected by Holm within the claim's family. `verdict` is one of `VERDICTS`:

        - supported: the interval of the margin lies above zero, the corrected p-value is at most
          0.05, and there are at least five seeds, if seeds are what is repeated;
        - refuted: the same, with the interval below zero;
        - undecided: neither;
        - not run: the evidence to judge it is not there.

        `number_matches` says whether our value equals the paper's within the claim's tolerance:
        yes if our interval lies inside, no if outside, else undecided; empty without a number, or
        where substitutes play. `scale` is one of `gradval.evidence.scale.SCALES`, `sizes` says
        what differs from the paper.

    Raises:
        ValueError: the claims table is not valid.
    """
    parsed = parse_claims(claims)
    rows, margins = [], []
    for claim in parsed:
        row, margin = _row(claim, evidence, context, labels)
        rows.append(row)
        margins.append(margin)
    adjusted = _adjusted(parsed, margins)
    for row, claim, margin, p in zip(rows, parsed, margins, adjusted, strict=True):
        if margin is not None:
            row["p_adjusted"] = p
            row["verdict"] = decide(claim.rule, margin, p)
            row["reading"] += _caveats(claim, margin, p, row["rule"])
    scorecard = pd.DataFrame(rows, columns=list(SCORECARD_COLUMNS))
    types = dict.fromkeys(NUMBER_COLUMNS, "float64") | {"n": "int64"}
    return scorecard.astype(types)


def summarise_verdicts(scorecard: pd.DataFrame) -> pd.DataFrame:
    """Count the verdicts: columns verdict (each of `VERDICTS`) and claims."""
    counts = scorecard["verdict"].value_counts().reindex(list(VERDICTS), fill_value=0)
    return counts.rename_axis("verdict").rename("claims").reset_index()


def _adjusted(claims: Sequence[Claim], margins: Sequence[Margin | None]) -> list[float]:
    """Two-sided p-values, corrected within families; a claim without a family stands alone."""
    p = pd.Series([math.nan if m is None else m.p for m in margins], dtype=float)
    families = pd.Series([claim.family or claim.id for claim in claims])
    adjusted = p.copy()
    for _, members in p.groupby(families):
        adjusted[members.index] = holm(members)
    return adjusted.tolist()


def _run(claim: Claim, context: Mapping[str, RunSetting | None]) -> RunSetting | None:
    """What was run for a claim; None if not all of it was."""
    if claim.id in context:
        return context[claim.id]
    parts = [context.get(name) for name in claim.comparisons or (claim.kind,)]
    played = [part for part in parts if part is not None]
    if len(played) < len(parts):
        return None
    return RunSetting(
        dataset=distinct(part.dataset for part in played),
        model_a=distinct(part.model_a for part in played),
        model_b=distinct(part.model_b for part in played),
        privacy_a=distinct(part.privacy_a for part in played),
        privacy_b=distinct(part.privacy_b for part in played),
        substitutes=distinct((part.substitutes for part in played), "; "),
    )


def _reason_not_comparable(
    claim: Claim, run: RunSetting, context: Mapping[str, RunSetting | None]
) -> str:
    """Why substitutes leave a claim nothing to compare; empty if they do not."""
    if not run.substitutes or claim.kind not in ("comparison", "dominant_class"):
        return ""
    sides = {(run.model_a, run.privacy_a), (run.model_b, run.privacy_b)}
    if len(sides) == 1 and len(set(claim.scores)) == 1 and "each" not in claim.scores:
        return "its two sides are the same runs"
    # An ordering may compare scores of the same runs, but here data sets or models are set against
    # others, and they would be the same.
    runs = {
        (part.dataset, part.model_a, part.model_b, part.privacy_a, part.privacy_b)
        for part in map(context.get, claim.comparisons)
        if part is not None
    }
    across_settings = "|" in claim.dataset or "|" in claim.model or claim.value == claim.value
    if len(claim.comparisons) > 1 and len(runs) == 1 and across_settings:
        return "the settings that it compares are the same runs"
    return ""


def _row(
    claim: Claim, evidence: Evidence, context: Mapping[str, RunSetting | None], labels: Labels
) -> tuple[dict[str, Any], Margin | None]:
    """One row of the scorecard, without what its family decides, and its margin."""
    run = _run(claim, context)
    row: dict[str, Any] = {
        **dict.fromkeys(TEXT_COLUMNS, ""),
        **{name: getattr(claim, name) for name in ("id", "section", "statement", "statistic")},
        "paper": claim.printed,
        "n": 0,
        "rule": str(claim.rule),
        "unit": claim.rule.unit,
        "family": claim.family,
        "paper_dataset": claim.dataset,
        "paper_model": claim.model,
        "paper_privacy": distinct(claim.settings),
        "verdict": NOT_RUN,
        "reading": "the config trains none of its settings",
    }
    if run is None:
        return row, None
    scale, sizes = scale_of(claim, run, evidence.full, evidence.runs)
    row |= {
        "dataset": run.dataset,
        "model": distinct((run.model_a, run.model_b)),
        "privacy": _privacy(claim, run),
        "substitutes": run.substitutes,
        "scale": scale,
        "sizes": sizes,
        "reading": "there are no results for it",
    }
    if reason := _reason_not_comparable(claim, run, context):
        return row | {"reading": reason}, None
    found = measure(claim, evidence, run)
    if found is None:
        return row, None
    margin = guarded(margin_of(claim.rule, found.parts), found.guards)
    label = labels([*found.others, *claim.rule.references, *found.where])
    row["rule"] = claim.rule.in_words(label)
    row |= _numbers(found, margin) | {"reading": reading(claim, found, label)}
    row["number_matches"] = number_matches(claim, found.ours, scale)
    if margin is None:
        row["reading"] += f"; nothing to judge by whether it is {row['rule']}"
    return row, margin


def _numbers(found: Measurement, margin: Margin | None) -> dict[str, float]:
    """The numerical columns."""
    levels = ("chance", "draw_ceiling", "seed_ceiling", "other_weights")
    row: dict[str, float] = {
        **{name: getattr(found.ours, name) for name in ("low", "high", "n")},
        **{name: getattr(found, name) for name in levels},
        "ours": found.ours.mean,
    }
    if margin is not None:
        row |= {"margin": margin.mean, "margin_low": margin.low, "margin_high": margin.high}
        row |= {"p": margin.p}
    return row


def reading(claim: Claim, found: Measurement, label: Mapping[str, str]) -> str:
    """What was found, as one sentence; ``label`` says what everything is called."""
    decimals, unit = FORMATS.get(claim.kind) or FORMATS.get(claim.measure, (2, ""))

    def text(value: float) -> str:
        return f"{value:.{decimals}f}"

    ours = text(found.ours.mean)
    if not math.isnan(found.ours.low):
        ours += f" [{text(found.ours.low)}, {text(found.ours.high)}]"
    ours += unit
    note = ", ".join(text for text in (found.note, *(label[n] for n in found.where)) if text)
    if math.isnan(claim.value):
        head = f"{note}: {ours}" if note else ours
    else:
        head = f"{ours} against the paper's {claim.printed}{unit}"
        head += f" ({note})" if note else ""
    levels = {
        **{"chance": found.chance, "other draw": found.draw_ceiling},
        "other initial weights": found.seed_ceiling,
        **{f"{label[name]}:": value for name, value in found.others.items()},
    }
    known = [f"{name} {text(value)}" for name, value in levels.items() if not math.isnan(value)]
    return "; ".join(part for part in (head, ", ".join(known)) if part)


def _caveats(claim: Claim, margin: Margin, p_adjusted: float, rule: str) -> str:
    """What keeps a claim undecided."""
    if margin.guarded and not margin.high < 0:
        return "; there is no agreement beyond chance that could be lost"
    if claim.rule.unit == "seed" and margin.n < FEWEST_REPLICATES:
        return f"; a verdict needs {FEWEST_REPLICATES} seeds"
    if margin.p <= LEVEL < p_adjusted:
        return f"; not settled once corrected for its family (p = {p_adjusted:.2g})"
    if not p_adjusted <= LEVEL:
        return f"; the interval does not settle whether it is {rule}"
    return ""


def _privacy(claim: Claim, run: RunSetting) -> str:
    """The privacy levels that were run: some kinds name them as their sources."""
    if claim.kind in ("removal", "levels"):
        return claim.at[0]
    if claim.kind == "accuracy":
        return distinct(claim.sources)
    return distinct((run.privacy_a, run.privacy_b))


def distinct(names: Iterable[str], separator: str = "|") -> str:
    """All non-empty names, each once, in their order; names may be joined already."""
    parts = (part for name in names for part in name.split(separator) if part)
    return separator.join(dict.fromkeys(parts))
