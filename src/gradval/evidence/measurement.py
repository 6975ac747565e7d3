"""What the results of a study say about one claim: our value, and the differences to be tested."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
import scipy  # scipy.stats is loaded at its first use, which keeps our import fast

from gradval.evidence.agreement import (
    agreement_levels,
    alike,
    corrected_for_reliability,
    rows_of,
    same_seed,
)
from gradval.evidence.claims import Claim
from gradval.evidence.intervals import Summary, summarise, summarise_share
from gradval.evidence.levels import EFFECT, EFFECT_OTHER
from gradval.evidence.results import Evidence, RunSetting
from gradval.evidence.runs import overhead, removal_parts, saving

# Samples selected in each class by which levels are judged, if classes are large enough.
LEVELS_K = 25


@dataclass(frozen=True, slots=True)
class Exact:
    """A difference with an exact interval and exact two-sided p-values, of above and below."""

    difference: float
    low: float
    high: float
    p_above: float
    p_below: float


@dataclass(frozen=True, slots=True)
class Part:
    """One difference that a rule is about.

    Attributes:
        name: what is compared, for the reader.
        values: the difference, one value a seed.
        exact: instead, where there is an exact test.
    """

    name: str
    values: pd.Series
    exact: Exact | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """Our side of one claim, in the unit of the paper's value.

    Attributes:
        ours: what we measure.
        parts: the differences that the rule is about, the null not yet subtracted; none if there
            is nothing to compare with.
        guards: for claims that something stays the same: agreement minus chance, which must lie
            above zero too. What agrees with nothing cannot lose its agreement.
        chance, draw_ceiling, seed_ceiling, other_weights: the value for random selections, for
            runs that differ in the draw, or in the initial weights, alone, and for the two sides
            with independent initial weights.
        others: the means of what the rule compares with, by name.
        note: anything else that a reader needs in order to understand `ours`.
        where: names of data set, model and privacy level that `ours` is about, where the claim
            leaves them open.
    """

    ours: Summary
    parts: Sequence[Part] = ()
    guards: Sequence[Part] = ()
    chance: float = math.nan
    draw_ceiling: float = math.nan
    seed_ceiling: float = math.nan
    other_weights: float = math.nan
    others: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    where: tuple[str, ...] = ()


def measure(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """Measure a claim; None if the evidence for it is not there."""
    return PROCEDURES[claim.kind](claim, evidence, run)


def _comparison(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """A statistic of comparisons between runs of the same seed."""
    values = {name: same_seed(evidence, name, claim.measure) for name in claim.sources}
    if any(series.empty for series in values.values()):
        return None
    parts = []
    # What stands beside the value: several sources, of which it is the mean, and references.
    others = {n: summarise(v).mean for n, v in values.items()} if len(values) > 1 else {}
    for name in claim.sources:
        for reference in claim.rule.references or ("",):
            part = _against(claim, evidence, run, name, reference)
            if part is not None:
                parts.append(part)
            if reference in evidence.statistics["comparison"].values:
                others[reference] = summarise(same_seed(evidence, reference, claim.measure)).mean
    complete = len(parts) == len(claim.sources) * max(1, len(claim.rule.references))
    levels = [agreement_levels(evidence, name, claim.measure) for name in claim.sources]
    return Measurement(
        summarise(_mean(values.values())),
        _quantified(claim, parts) if complete else (),
        _guards(claim, evidence),
        **{str(name): mean for name, mean in pd.DataFrame(levels).mean().items()},
        others=others,
        note="" if len(values) == 1 else f"mean of {len(values)} comparisons",
    )


def _against(
    claim: Claim, evidence: Evidence, run: RunSetting, name: str, reference: str
) -> Part | None:
    """The difference of one comparison from one reference; None if that is not there."""
    measure = claim.measure
    values = same_seed(evidence, name, measure)
    same_model = run.model_a == run.model_b
    if reference == "chance" and claim.rule.unit == "sample":
        return _exact_chance(evidence, name)
    if reference == "":
        difference = values
    elif reference == "chance":
        difference = values - same_seed(evidence, name, measure, column="chance")
    elif reference == "ceiling":
        difference = alike(evidence, name, measure, same_model, _below_ceiling)
    elif reference == "halfway":
        difference = alike(evidence, name, measure, same_model, _beyond_halfway)
    elif reference == "reliability":
        difference = alike(evidence, name, measure, same_model, corrected_for_reliability)
    elif reference.startswith("@"):
        difference = values - same_seed(evidence, name, reference[1:])
    else:
        difference = values - same_seed(evidence, reference, measure)
    label = f"{name} against {reference}" if reference else name
    return Part(label, difference) if difference.notna().any() else None


def _guards(claim: Claim, evidence: Evidence) -> list[Part]:
    """Overlap beyond chance, where a claim says that something agrees as well as it can."""
    if (claim.rule.side, claim.rule.references) != ("equal", ("ceiling",)):
        return []
    return [
        Part(
            f"{name} against chance",
            same_seed(evidence, name, "overlap")
            - same_seed(evidence, name, "overlap", column="chance"),
        )
        for name in claim.sources
    ]


def _below_ceiling(across: float, ceiling_a: float, ceiling_b: float, chance: float) -> float:
    return across - (ceiling_a + ceiling_b) / 2


def _beyond_halfway(across: float, ceiling_a: float, ceiling_b: float, chance: float) -> float:
    return across - ((ceiling_a + ceiling_b) / 2 + chance) / 2


def _exact_chance(evidence: Evidence, name: str) -> Part | None:
    """The exact test of the pair of runs that says least: every seed must show the overlap."""
    rows = rows_of(evidence, name, "overlap", "same seed").dropna(subset=["chance_p"])
    if rows.empty:
        return None
    least = rows.sort_values("chance_p").iloc[-1]
    shift = least["chance"]
    exact = Exact(
        least["value"] - shift,
        least["exact_low"] - shift,
        least["exact_high"] - shift,
        least["chance_p"],
        1.0,
    )
    values = same_seed(evidence, name, "overlap")
    return Part(f"{name}, seed {least['seed_a']}", values, exact)


def _dominant_class(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """Share of seeds for which the two selections have no dominant class in common."""
    rows = evidence.selections[evidence.selections["comparison"] == claim.sources[0]]
    dominant = {
        (str(side), int(str(seed)), int(str(draw))): set(part["label"].mode())
        for (side, seed, draw), part in rows.groupby(["side", "seed", "draw"])
    }
    seeds = sorted({seed for _, seed, _ in dominant})
    first = {seed: min(draw for _, s, draw in dominant if s == seed) for seed in seeds}
    differ = [
        dominant["a", seed, first[seed]].isdisjoint(dominant["b", seed, first[seed]])
        for seed in seeds
        if ("b", seed, first[seed]) in dominant
    ]
    if not differ:
        return None
    ours = summarise_share(differ)
    test = [
        scipy.stats.binomtest(sum(differ), len(differ), claim.rule.null, alternative=side).pvalue
        for side in ("greater", "less")
    ]
    exact = Exact(ours.mean, ours.low, ours.high, *(min(1.0, 2 * float(p)) for p in test))
    pairs = [(x, y) for x in dominant for y in dominant if x < y and x[0] == y[0]]
    draws = [dominant[x].isdisjoint(dominant[y]) for x, y in pairs if x[1] == y[1]]
    weights = [dominant[x].isdisjoint(dominant[y]) for x, y in pairs if x[1] != y[1]]
    return Measurement(
        ours,
        [Part("share of seeds", pd.Series(differ, index=seeds, dtype=float), exact)],
        draw_ceiling=summarise(draws).mean,
        seed_ceiling=summarise(weights).mean,
        note="share of seeds whose dominant classes differ",
    )


def _selected_images(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """Mean rank, within their classes, of the selected images by a plain image statistic."""
    parts, values = [], []
    for source in claim.sources:
        name, side = source.split("/")
        rows = evidence.selections[evidence.selections["comparison"] == name]
        sides = {
            str(key): part.groupby("seed")[claim.measure].mean().dropna()
            for key, part in rows.groupby("side")
        }
        if side not in sides or sides[side].empty:
            return None
        values.append(sides[side])
        other = sides["b" if side == "a" else "a"]
        against = other if claim.rule.references else 0.0
        parts.append(Part(source, sides[side] - against))
    note = f"mean rank of the selected images' {claim.measure} in their class"
    return Measurement(summarise(_mean(values)), _quantified(claim, parts), chance=0.5, note=note)


def _levels(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """What a privacy level takes from the agreement of a score with itself."""
    rows = run.among(evidence.levels)
    rows = rows[rows["statistic"] == claim.measure]
    known = sorted(rows["k"].unique())
    if not known:
        return None
    k = max((k for k in known if k <= LEVELS_K), default=known[0])
    rows = rows[rows["k"] == k]
    quantity = EFFECT if (rows["quantity"] == EFFECT).any() else EFFECT_OTHER
    effects = {
        (str(score), f"{a}:{b}"): part.groupby("seed")["value"].mean()
        for (score, a, b), part in rows[rows["quantity"] == quantity].groupby(
            ["score", "privacy_a", "privacy_b"], sort=False
        )
    }
    pairs = [claim.at[0]] if claim.at[0] != "each" else list(dict.fromkeys(p for _, p in effects))
    needed = [(s, p) for s in (*claim.sources, *claim.rule.references) for p in pairs]
    if not pairs or any(key not in effects for key in needed):
        return None
    parts = [
        Part(f"{score} {pair}" + (f" against {other}" if other else ""), difference)
        for score in claim.sources
        for pair in pairs
        for other in claim.rule.references or ("",)
        for difference in [effects[score, pair] - (effects[other, pair] if other else 0.0)]
    ]
    of_sources = rows[rows["score"].isin(claim.sources)]
    guarded = of_sources[
        of_sources["quantity"].eq("across" if quantity == EFFECT else "other_weights")
        & (of_sources["privacy_a"] + ":" + of_sources["privacy_b"]).isin(pairs)
    ]
    # That less is lost than of another score, or as good as nothing, means something only of a
    # score that agrees with itself at all.
    guards = [
        Part(f"{score} {a}:{b} against chance", part.set_index("seed").eval("value - chance"))
        for (score, a, b), part in guarded.groupby(["score", "privacy_a", "privacy_b"], sort=False)
    ]
    means = of_sources.groupby("quantity")["value"].mean()
    lost = "share of a selection" if claim.measure == "overlap" else "rank correlation"
    note = f"{lost} lost to another level, {len(pairs)} pair{'s' * (len(pairs) > 1)} of levels"
    return Measurement(
        summarise(_mean(effects[score, pair] for score in claim.sources for pair in pairs)),
        _quantified(claim, parts),
        () if claim.rule.side == "above" else _quantified(claim, guards),
        chance=float(of_sources["chance"].mean()),
        draw_ceiling=float(means.get("draw_ceiling", math.nan)),
        seed_ceiling=float(means.get("seed_ceiling", math.nan)),
        other_weights=float(means.get("other_weights", math.nan)),
        others={
            other: summarise(_mean(effects[other, pair] for pair in pairs)).mean
            for other in claim.rule.references
        },
        note=f"{note}, {k} a class" if k else note,
    )


def _accuracy(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """Accuracy gained from each privacy level to the next, in points, paired by seed."""
    rows = run.among(evidence.full)
    values = [
        100 * rows[rows["privacy"] == privacy].groupby("seed")[claim.measure].mean()
        for privacy in claim.sources
    ]
    gaps = [second - first for first, second in itertools.pairwise(values)]
    if not all(gap.notna().any() for gap in gaps):
        return None
    parts = [Part(name, gap) for name, gap in zip(claim.sources[1:], gaps, strict=True)]
    return Measurement(summarise(values[-1] - values[0]), _quantified(claim, parts))


def _removal(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """Accuracy in percent after removals, against that after others."""
    found = removal_parts(claim, run.among(evidence.runs))
    if found is None:
        return None
    differences, ours, others = found
    parts = [Part(f"{name} at {level}", values) for (level, name), values in differences.items()]
    if claim.rule.quantifier == "every_level":
        levels = dict.fromkeys(level for level, _ in differences)
        by_level = {
            level: _mean(v for (at, _), v in differences.items() if at == level) for level in levels
        }
        parts = [Part(f"mean at {level}", values) for level, values in by_level.items()]
    return Measurement(summarise(ours), _quantified(claim, parts), others=others)


def _saving(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """Gradients saved by removal, in percent of those without: mean over removals and levels."""
    values = saving(claim, run.among(evidence.runs))
    if values.empty:
        return None
    note = "gradients counted, mean over removals and privacy levels"
    return Measurement(summarise(values), [Part("saved", values)], note=note)


def _overhead(claim: Claim, evidence: Evidence, run: RunSetting) -> Measurement | None:
    """Gradients taken for scores relative to those for training, in the setting with most."""
    ratios = overhead(run.among(evidence.full))
    if not ratios:
        return None
    setting = max(ratios, key=lambda name: ratios[name].mean())
    note = f"gradients counted, largest of {len(ratios)} settings"
    parts = [Part(", ".join(name), values) for name, values in ratios.items()]
    return Measurement(summarise(ratios[setting]), parts, note=note, where=setting)


Procedure = Callable[[Claim, Evidence, RunSetting], Measurement | None]
PROCEDURES: Mapping[str, Procedure] = {
    "comparison": _comparison,
    "dominant_class": _dominant_class,
    "selected_images": _selected_images,
    "levels": _levels,
    "accuracy": _accuracy,
    "removal": _removal,
    "saving": _saving,
    "overhead": _overhead,
}


def _quantified(claim: Claim, parts: Sequence[Part]) -> Sequence[Part]:
    """The parts as they are, or their mean if the rule is about that."""
    if claim.rule.quantifier != "mean" or len(parts) < 2:
        return parts
    return [Part(f"mean of {len(parts)}", _mean(part.values for part in parts))]


def _mean(series: Iterable[pd.Series]) -> pd.Series:
    """Mean of several quantities, for the seeds that all have."""
    return pd.concat(list(series), axis=1).dropna().mean(axis=1)
