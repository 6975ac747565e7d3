"""How far what was measured lies on the side that a rule claims, and what that decides."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradval.evidence.claims import Claim, Rule
from gradval.evidence.intervals import Summary, summarise
from gradval.evidence.measurement import Part
from gradval.evidence.scale import SUBSTITUTE
from gradval.evidence.statistics import (
    FEWEST_REPLICATES,
    LEVEL,
    p_above,
    p_below,
    p_different,
    p_equivalent,
)

SUPPORTED, REFUTED, UNDECIDED, NOT_RUN = "supported", "refuted", "undecided", "not run"
VERDICTS = (SUPPORTED, REFUTED, UNDECIDED, NOT_RUN)
ABOVE_ZERO = Rule((), "above", 0.0, "every", "seed")


@dataclass(frozen=True, slots=True)
class Margin:
    """How far what was measured lies on the side that a rule claims.

    Attributes:
        mean, low, high: the estimate and its 95% interval, positive where the claim holds. For an
            equality the distance inside the tolerance.
        p_for, p_against: two-sided p-values of the claim and of its contrary.
        n: number of replicates, of the part that has fewest.
        guarded: whether `p_for` is that of a guard, which does not hold.
    """

    mean: float
    low: float
    high: float
    p_for: float
    p_against: float
    n: int
    guarded: bool = False

    @property
    def p(self) -> float:
        """The smaller of both p-values: of anything being known."""
        return min(self.p_for, self.p_against)


def decide(rule: Rule, margin: Margin, p_adjusted: float) -> str:
    """The verdict from a margin and the p-value that was corrected within the family."""
    enough = rule.unit != "seed" or margin.n >= FEWEST_REPLICATES
    if not enough or not p_adjusted <= LEVEL:
        return UNDECIDED
    if margin.low > 0 and margin.p_for <= LEVEL:
        return SUPPORTED
    if margin.high < 0 and margin.p_against <= LEVEL:
        return REFUTED
    return UNDECIDED


def margin_of(rule: Rule, parts: Sequence[Part]) -> Margin | None:
    """The margin of a rule over the differences that it is about; None without any.

    Of several parts, each of which must hold, the weakest counts: it alone decides whether all
    hold (an intersection-union test, which needs no correction), while to refute them it is enough
    that one fails, which is corrected by Bonferroni. For ``some`` it is the other way round.
    """
    if not parts:
        return None
    margins = [_part_margin(rule, part) for part in parts]
    pick = max if rule.quantifier == "some" else min

    def joint(values: Iterable[float], combine: Callable[[list[float]], float] = pick) -> float:
        known = list(values)
        return math.nan if any(map(math.isnan, known)) else float(combine(known))

    p_for, p_against = [m.p_for for m in margins], [m.p_against for m in margins]
    if rule.quantifier == "some":
        p_for = [min(1.0, len(margins) * p) for p in p_for]
        joint_p = joint(p_for, min), joint(p_against, max)
    else:
        p_against = [min(1.0, len(margins) * p) for p in p_against]
        joint_p = joint(p_for, max), joint(p_against, min)
    return Margin(
        joint(m.mean for m in margins),
        joint(m.low for m in margins),
        joint(m.high for m in margins),
        *joint_p,
        min(m.n for m in margins),
    )


def guarded(margin: Margin | None, guards: Sequence[Part]) -> Margin | None:
    """A margin whose claim also needs every guard to lie above zero (`Measurement.guards`)."""
    if margin is None or not guards:
        return margin
    found = margin_of(ABOVE_ZERO, guards)
    assert found is not None
    # Not the interval, which is that of the claim, but the evidence for it.
    p_for = float(np.max([margin.p_for, found.p_for if found.low > 0 else 1.0]))
    return replace(margin, p_for=p_for, guarded=p_for > margin.p_for and p_for > LEVEL)


def _part_margin(rule: Rule, part: Part) -> Margin:
    values = part.values.dropna()
    if part.exact is not None:
        exact = part.exact
        estimate = (exact.difference, exact.low, exact.high)
        p = exact.p_above, exact.p_below
    elif rule.unit == "count":
        mean = float(values.mean())
        estimate = mean, float(values.min()), float(values.max())
        p = (0.0, 0.0) if len(values) else (math.nan, math.nan)
    else:
        found = summarise(values)
        estimate = found.mean, found.low, found.high
        p = p_above(values, rule.null), p_below(values, rule.null)
    if rule.side == "equal":
        p = p_equivalent(values, rule.null), p_different(values, rule.null)
        return Margin(*_inside(estimate, rule.null), *p, len(values))
    if rule.side == "below":
        mean, low, high = (rule.null - x for x in (estimate[0], estimate[2], estimate[1]))
        return Margin(mean, low, high, p[1], p[0], len(values))
    mean, low, high = (x - rule.null for x in estimate)
    return Margin(mean, low, high, *p, len(values))


def _inside(estimate: tuple[float, float, float], tolerance: float) -> tuple[float, float, float]:
    """How far a difference and its interval lie within ±tolerance."""
    mean, low, high = estimate
    if math.isnan(low):
        return tolerance - abs(mean), math.nan, math.nan
    nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return tolerance - abs(mean), tolerance - max(abs(low), abs(high)), tolerance - nearest


def number_matches(claim: Claim, ours: Summary, scale: str) -> str:
    """Whether our value equals the paper's within the tolerance (`build_scorecard`)."""
    if math.isnan(claim.value) or scale == SUBSTITUTE:
        return ""
    low, high = claim.value - claim.tolerance, claim.value + claim.tolerance
    if claim.rule.unit == "count":
        return "yes" if low <= ours.mean <= high else "no"
    if ours.n < FEWEST_REPLICATES or math.isnan(ours.low):
        return "undecided"
    if low <= ours.low and ours.high <= high:
        return "yes"
    return "no" if ours.high < low or ours.low > high else "undecided"
