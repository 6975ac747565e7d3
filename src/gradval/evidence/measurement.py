"""What the results of a study say about one claim: our value, its levels, and its direction."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

from gradval.evidence.claims import Claim, Rule
from gradval.evidence.intervals import (
    Summary,
    by_seed,
    paired_difference,
    summarise,
    summarise_share,
)
from gradval.evidence.results import Evidence, RunSetting

CEILINGS = ("ceiling a", "ceiling b")


@dataclass(frozen=True, slots=True)
class Measurement:
    """Our side of one claim, in the unit of the paper's value.

    Attributes:
        ours: what we measure.
        margin: by how much it lies on the claimed side of what the rule names, paired by seed:
            positive if the direction holds. None if there is no rule or nothing to compare with.
        chance, ceiling: the value for random selections, and for one setting under two seeds.
        independent: the value between runs with independent initial weights.
        others: the means of what the rule compares with, by name.
        note: anything else that a reader needs in order to understand `ours`.
        where: names of the removal, data set, model and privacy level that `ours` is about, where
            the claim leaves them open.
    """

    ours: Summary
    margin: Summary | None = None
    chance: float = math.nan
    ceiling: float = math.nan
    independent: float = math.nan
    others: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    where: tuple[str, ...] = ()


def measure(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """Measure a claim; None if the evidence for it is not there.

    Raises:
        ValueError: a seed occurs twice where it must occur once.
    """
    return PROCEDURES[claim.kind](claim, evidence, run)


def _comparison(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """One statistic of one comparison between runs of the same seed."""
    (name,) = claim.sources
    values = _statistic(evidence, name, claim.measure)
    if values.empty:
        return None
    chance = _statistic(evidence, name, claim.measure, column="chance")
    ceiling = _ceiling(evidence, name, claim.measure)
    others = {
        other: _statistic(evidence, other, claim.measure)
        for other in (claim.rule.others if claim.rule else ())
    }
    levels = {"chance": chance, "ceiling": pd.Series(ceiling, index=values.index)}
    return Measurement(
        summarise(values),
        _margin(claim.rule, [values], {**levels, **others}),
        chance=summarise(chance).mean,
        ceiling=ceiling,
        independent=summarise(_rows(evidence, name, claim.measure, "other seed")["value"]).mean,
        others=_means(others),
    )


def _ordering(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """Whether each of some comparisons lies above (below) each of others: the smallest margin."""
    assert claim.rule is not None  # checked when the claim was parsed
    values = {name: _statistic(evidence, name, claim.measure) for name in claim.comparisons}
    margin = _margin(claim.rule, [values[name] for name in claim.sources], values)
    if margin is None:
        return None
    return Measurement(margin, margin, others=_means(values), note="smallest margin")


def _dominant_class(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """Share of seeds for which the two selections have no dominant class in common."""
    rows = evidence.selections[evidence.selections["comparison"] == claim.sources[0]]
    dominant = {
        side: {seed: set(part["label"].mode()) for seed, part in of_side.groupby("seed")}
        for side, of_side in rows.groupby("side")
    }
    a, b = dominant.get("a", {}), dominant.get("b", {})
    differ = [a[seed].isdisjoint(b[seed]) for seed in a if seed in b]
    if not differ:
        return None
    ours = summarise_share(differ)
    # The same share between two seeds of one setting: how much of it is only the seed.
    between_seeds = [
        x.isdisjoint(y) for side in (a, b) for x, y in itertools.combinations(side.values(), 2)
    ]
    return Measurement(
        ours,
        _shifted(claim.rule, ours),
        ceiling=summarise(between_seeds).mean,
        note="share of seeds whose dominant classes differ",
    )


def _accuracy_gap(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """Accuracy at the second privacy level minus that at the first, in points, paired by seed."""
    rows = run.among(evidence.full)
    first, second = (
        100 * by_seed(rows[rows["privacy"] == privacy], claim.measure, f"{claim.id} at {privacy}")
        for privacy in claim.sources
    )
    ours = paired_difference(second, first)
    return Measurement(ours, _shifted(claim.rule, ours)) if ours.n else None


def _table1(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """Test accuracy in percent after a removal, against that after others."""
    removal, privacy = claim.sources[0].split("/")
    rows = run.among(evidence.runs)
    rows = rows[rows["privacy"] == privacy]
    values = _accuracy(rows, removal, claim)
    if values.empty:
        return None
    others = {
        other: _accuracy(rows, other, claim) for other in (claim.rule.others if claim.rule else ())
    }
    margin = _margin(claim.rule, [values], others)
    return Measurement(summarise(values), margin, others=_means(others))


def _train_accuracy(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """Smallest rise of the train accuracy, in points, over every removal and privacy level."""
    assert claim.rule is not None and len(claim.rule.others) > 0  # checked when parsed
    rises: dict[tuple[str, str], Summary] = {}
    for privacy, rows in run.among(evidence.runs).groupby("privacy"):
        others = {name: _accuracy(rows, name, claim) for name in claim.rule.others}
        for removal in claim.sources:
            margin = _margin(claim.rule, [_accuracy(rows, removal, claim)], others)
            if margin is not None:
                rises[removal, str(privacy)] = margin
    if {removal for removal, _ in rises} != set(claim.sources):
        return None
    (removal, privacy), smallest = min(rises.items(), key=lambda item: item[1].mean)
    risen = sum(rise.mean > 0 for rise in rises.values())
    note = f"smallest of {len(rises)} rises ({risen} positive)"
    return Measurement(smallest, smallest, note=note, where=(removal, privacy))


def _training_time(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """Training time saved, in percent of that without removal: mean over removals and levels."""
    rows = run.among(evidence.runs)
    keys = ["dataset", "model", "privacy", "seed"]
    whole = rows[rows["removal"] == "none"]
    pruned = rows[rows["removal"].isin(claim.sources)]
    pairs = pruned.merge(whole, on=keys, suffixes=("", "_whole"))
    saved = 100 * (1 - pairs[claim.measure] / pairs[f"{claim.measure}_whole"]).astype(float)
    ours = summarise(saved.groupby(pairs["seed"]).mean())
    if not ours.n:
        return None
    return Measurement(
        ours, _shifted(claim.rule, ours), note="mean over removals and privacy levels"
    )


def _scoring_time(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """Scoring time relative to training time in the setting where that is largest."""
    rows = run.among(evidence.full)
    ratios = {
        tuple(map(str, setting)): summarise(part[claim.measure] / part["training_seconds"])
        for setting, part in rows.groupby(["dataset", "model", "privacy"])
    }
    ratios = {setting: ratio for setting, ratio in ratios.items() if ratio.n}
    if not ratios:
        return None
    setting, ours = max(ratios.items(), key=lambda item: item[1].mean)
    note = f"largest of {len(ratios)} settings"
    return Measurement(ours, _shifted(claim.rule, ours), note=note, where=setting)


Procedure = Callable[[Claim, Evidence, RunSetting], Measurement | None]
PROCEDURES: Mapping[str, Procedure] = {
    "comparison": _comparison,
    "ordering": _ordering,
    "dominant_class": _dominant_class,
    "accuracy_gap": _accuracy_gap,
    "table1": _table1,
    "train_accuracy": _train_accuracy,
    "training_time": _training_time,
    "scoring_time": _scoring_time,
}


def _rows(evidence: Evidence, comparison: str, statistic: str, pairing: str) -> pd.DataFrame:
    rows = evidence.statistics
    return rows[
        (rows["comparison"] == comparison)
        & (rows["statistic"] == statistic)
        & (rows["pairing"] == pairing)
    ]


def _statistic(
    evidence: Evidence, comparison: str, statistic: str, column: str = "value"
) -> pd.Series:
    """A statistic between runs of the same seed, by seed, without undefined values."""
    rows = _rows(evidence, comparison, statistic, "same seed")
    what = f"statistics of comparison {comparison}, {statistic}"
    return by_seed(rows, column, what, seed="seed_a").dropna()


def _ceiling(evidence: Evidence, comparison: str, statistic: str) -> float:
    """Mean of the two sides' agreement with themselves under another seed."""
    sides = [summarise(_rows(evidence, comparison, statistic, side)["value"]) for side in CEILINGS]
    return summarise([side.mean for side in sides]).mean


def _accuracy(rows: pd.DataFrame, removal: str, claim: Claim) -> pd.Series:
    """Accuracy in percent after a removal, by seed."""
    what = f"{claim.id}: runs with removal {removal}"
    return 100 * by_seed(rows[rows["removal"] == removal], claim.measure, what).dropna()


def _margin(
    rule: Rule | None, sides: Iterable[pd.Series], references: Mapping[str, pd.Series]
) -> Summary | None:
    """The smallest margin by which a side lies where the rule says, paired by seed.

    None without a rule, or if anything that it names has no seed in common with a side.
    """
    if rule is None:
        return None
    sign = 1 if rule.above else -1
    margins = [
        summarise(sign * (side - reference))
        for side in sides
        for reference in _referred(rule, side, references)
    ]
    if not all(margin.n for margin in margins):
        return None
    return min(margins, key=lambda margin: margin.mean)


def _referred(
    rule: Rule, side: pd.Series, references: Mapping[str, pd.Series]
) -> Iterator[pd.Series]:
    if rule.names:
        yield from (references[name] for name in rule.names)
    else:
        yield pd.Series(rule.number, index=side.index)


def _shifted(rule: Rule | None, ours: Summary) -> Summary | None:
    """The margin of a summary relative to the number that a rule names."""
    if rule is None:
        return None
    bounds = [ours.low - rule.number, ours.high - rule.number]
    if rule.above:
        return Summary(ours.mean - rule.number, ours.sd, bounds[0], bounds[1], ours.n)
    return Summary(rule.number - ours.mean, ours.sd, -bounds[1], -bounds[0], ours.n)


def _means(series: Mapping[str, pd.Series]) -> dict[str, float]:
    return {name: summarise(values).mean for name, values in series.items()}
