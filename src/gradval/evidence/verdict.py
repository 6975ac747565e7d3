"""The scorecard: for each claim of the paper its value, ours, and a verdict."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from gradval.evidence.claims import Claim, parse_claims
from gradval.evidence.intervals import Summary
from gradval.evidence.measurement import Measurement, measure
from gradval.evidence.results import Evidence, RunSetting

REPRODUCED = "reproduced"
SAME_DIRECTION = "same direction"
NOT_REPRODUCED = "not reproduced"
NOT_RUN = "not run by this config"
SUBSTITUTE = " (substitute)"
VERDICTS = (
    *(REPRODUCED, SAME_DIRECTION, NOT_REPRODUCED),
    *(SAME_DIRECTION + SUBSTITUTE, NOT_REPRODUCED + SUBSTITUTE, NOT_RUN),
)

NUMBER_COLUMNS = (
    *("ours", "low", "high", "n", "chance", "ceiling", "other_seed"),
    *("margin", "margin_low", "margin_high"),
)
TEXT_COLUMNS = (
    *("id", "section", "statement", "statistic", "paper", "direction"),
    *("paper_dataset", "dataset", "paper_model", "model", "paper_privacy", "privacy"),
    *("substitutes", "verdict", "reading"),
)
SCORECARD_COLUMNS = TEXT_COLUMNS[:5] + NUMBER_COLUMNS + TEXT_COLUMNS[5:]

# Decimals and unit with which a reading writes values, by kind or measure.
FORMATS: Mapping[str, tuple[int, str]] = {
    "accuracy_gap": (1, " points"),
    "table1": (1, " %"),
    "train_accuracy": (1, " points"),
    "training_time": (0, " %"),
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
            claims that read runs by kind (``table1``, ...). None, or no entry: not run.
        labels: what comparisons, removals, data sets, models and privacy levels that stand in one
            reading are called there; as they are by default.

    Returns:
        `SCORECARD_COLUMNS`, one row a claim, in the order of the table. `ours` (with its 95%
        interval from `low` to `high` over `n` seeds), `chance`, `ceiling` and `other_seed` (runs
        with independent initial weights) are in the unit of the paper's value, for orderings `ours`
        is the smallest margin. `margin` says by how much `ours` lies on the side that the rule
        `direction` claims. `verdict` is one of `VERDICTS`:

        - reproduced: the direction holds, and the paper's value lies in our interval or within the
          tolerance; an ordering holds;
        - same direction: only the direction holds;
        - not reproduced: it does not;
        - not run by this config: there is not enough evidence to judge, or substitutes leave
          nothing to compare (both sides are the same runs);
        - with (substitute): the same, but on a substitute, so no number can be reproduced.

        What is judged is the mean; `reading` says so if the interval does not settle it.

    Raises:
        ValueError: the claims table is not valid, or a seed occurs twice in the evidence.
    """
    rows = [_row(claim, evidence, context, labels) for claim in parse_claims(claims)]
    scorecard = pd.DataFrame(rows, columns=list(SCORECARD_COLUMNS))
    types = dict.fromkeys(NUMBER_COLUMNS, "float64") | {"n": "int64"}
    return scorecard.astype(types)


def summarise_verdicts(scorecard: pd.DataFrame) -> pd.DataFrame:
    """Count the verdicts: columns verdict (each of `VERDICTS`) and claims."""
    counts = scorecard["verdict"].value_counts().reindex(list(VERDICTS), fill_value=0)
    return counts.rename_axis("verdict").rename("claims").reset_index()


def _run_setting(claim: Claim, context: Mapping[str, RunSetting | None]) -> RunSetting | None:
    """What was run for a claim; None if not all of it was."""
    if claim.id in context:
        return context[claim.id]
    parts = [context.get(name) for name in claim.comparisons or (claim.kind,)]
    run = [part for part in parts if part is not None]
    if len(run) < len(parts):
        return None
    return RunSetting(
        dataset=_distinct(part.dataset for part in run),
        model_a=_distinct(part.model_a for part in run),
        model_b=_distinct(part.model_b for part in run),
        privacy_a=_distinct(part.privacy_a for part in run),
        privacy_b=_distinct(part.privacy_b for part in run),
        substitutes=_distinct((part.substitutes for part in run), "; "),
    )


def _reason_not_comparable(
    claim: Claim, setting: RunSetting, context: Mapping[str, RunSetting | None]
) -> str:
    """Why substitutes leave a claim nothing to compare; empty if they do not."""
    if not setting.substitutes or claim.kind not in ("comparison", "dominant_class"):
        return ""
    sides = {(setting.model_a, setting.privacy_a), (setting.model_b, setting.privacy_b)}
    if len(sides) == 1 and len(set(claim.scores)) == 1:
        return "its two sides are the same runs here"
    # An ordering may compare scores of the same runs, but here a number is set against others
    # because they were measured in another setting.
    runs = {
        (part.dataset, part.model_a, part.model_b, part.privacy_a, part.privacy_b)
        for part in map(context.get, claim.comparisons)
        if part is not None
    }
    if len(claim.comparisons) > 1 and len(runs) == 1 and claim.id not in context:
        return "the settings that it compares are the same runs here"
    return ""


def _row(
    claim: Claim,
    evidence: Evidence,
    context: Mapping[str, RunSetting | None],
    labels: Labels,
) -> dict[str, Any]:
    """One row of the scorecard."""
    setting = _run_setting(claim, context)
    row: dict[str, Any] = {
        **dict.fromkeys(TEXT_COLUMNS, ""),
        **{name: getattr(claim, name) for name in ("id", "section", "statement", "statistic")},
        "paper": claim.printed,
        "n": 0,
        "direction": str(claim.rule or ""),
        "paper_dataset": claim.dataset,
        "paper_model": claim.model,
        "paper_privacy": _distinct(claim.settings),
        "verdict": NOT_RUN,
        "reading": "not run: the config trains none of its settings",
    }
    if setting is None:
        return row
    row |= {
        "dataset": setting.dataset,
        "model": _distinct((setting.model_a, setting.model_b)),
        "privacy": _privacy(claim, setting),
        "substitutes": setting.substitutes,
        "reading": "there are no results for it",
    }
    if reason := _reason_not_comparable(claim, setting, context):
        return row | {"reading": reason}
    found = measure(claim, evidence, setting)
    if found is None:
        return row
    verdict = judge(claim, found, bool(setting.substitutes))
    reading = _reading(claim, found, verdict, labels)
    return row | _numbers(found) | {"verdict": verdict, "reading": reading}


def judge(claim: Claim, found: Measurement, substituted: bool) -> str:
    """The verdict on a claim that was measured (see `build_scorecard`).

    Args:
        claim: the claim.
        found: our side of it.
        substituted: whether it was run on a substitute.
    """
    if claim.rule is not None and found.margin is None:
        return NOT_RUN
    holds = found.margin is not None and found.margin.mean > 0
    if substituted:
        if claim.rule is None:
            return NOT_RUN
        return (SAME_DIRECTION if holds else NOT_REPRODUCED) + SUBSTITUTE
    if claim.rule is not None and not holds:
        return NOT_REPRODUCED
    if (
        math.isnan(claim.value)
        or _within_tolerance(claim, found.ours)
        or _covers(claim, found.ours)
    ):
        return REPRODUCED
    return SAME_DIRECTION if holds else NOT_REPRODUCED


def _within_tolerance(claim: Claim, ours: Summary) -> bool:
    return abs(ours.mean - claim.value) <= claim.tolerance + 1e-9  # 0.4 - 0.3 > 0.1 as floats


def _covers(claim: Claim, ours: Summary) -> bool:
    return ours.low <= claim.value <= ours.high


def _numbers(found: Measurement) -> dict[str, float]:
    """The numerical columns."""
    row = {
        **{name: getattr(found.ours, name) for name in ("low", "high", "n")},
        "ours": found.ours.mean,
        "chance": found.chance,
        "ceiling": found.ceiling,
        "other_seed": found.independent,
    }
    if found.margin is not None:
        row |= {
            "margin": found.margin.mean,
            "margin_low": found.margin.low,
            "margin_high": found.margin.high,
        }
    return row


def _reading(claim: Claim, found: Measurement, verdict: str, labels: Labels) -> str:
    """What was found, as one sentence."""
    others = claim.rule.others if claim.rule else ()
    label = labels([*found.others, *others, *found.where])
    decimals, unit = FORMATS.get(claim.kind) or FORMATS.get(claim.measure, (2, ""))

    def text(value: float) -> str:
        return f"{value:.{decimals}f}"

    ours = text(found.ours.mean)
    if not math.isnan(found.ours.low):
        ours += f" [{text(found.ours.low)}, {text(found.ours.high)}]"
    ours += unit
    note = ", ".join([found.note, *(label[name] for name in found.where)])
    if math.isnan(claim.value):
        head = f"{note}: {ours}"
    else:
        head = f"{ours} against the paper's {claim.printed}{unit}"
        head += f" ({note})" if note else ""
    values = {
        **{"chance": found.chance, "ceiling": found.ceiling},
        "independent initial weights": found.independent,
        **{f"{label[name]}:": value for name, value in found.others.items()},
    }
    known = [f"{name} {text(value)}" for name, value in values.items() if not math.isnan(value)]
    parts = [head, ", ".join(known), *_caveats(claim, found, verdict, label)]
    return "; ".join(part for part in parts if part)


def _caveats(
    claim: Claim, found: Measurement, verdict: str, label: Mapping[str, str]
) -> Iterable[str]:
    """What a reader must know before trusting the verdict."""
    if found.ours.n == 1:
        yield "one seed, so no interval"
    if claim.rule is not None and found.margin is None:
        reason = " (a ceiling needs two seeds)" if claim.rule.level == "ceiling" else ""
        yield f"nothing to judge by whether it is {claim.rule.in_words(label)}{reason}"
    if claim.rule and found.margin and found.margin.low <= 0 <= found.margin.high:
        yield f"the interval does not settle whether it is {claim.rule.in_words(label)}"
    number_matches = verdict == REPRODUCED and not math.isnan(claim.value)
    if number_matches and not _within_tolerance(claim, found.ours):
        yield f"within our interval but not within {claim.tolerance:g} of our mean"


def _privacy(claim: Claim, setting: RunSetting) -> str:
    """The privacy levels that were run: some kinds name them as their sources."""
    if claim.kind == "table1":
        return claim.sources[0].split("/")[1]
    if claim.kind == "accuracy_gap":
        return _distinct(claim.sources)
    return _distinct((setting.privacy_a, setting.privacy_b))


def _distinct(names: Iterable[str], separator: str = "|") -> str:
    """All non-empty names, each once, in their order; names may be joined already."""
    parts = (part for name in names for part in name.split(separator) if part)
    return separator.join(dict.fromkeys(parts))
