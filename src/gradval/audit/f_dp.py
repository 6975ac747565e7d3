"""Lower bounds on epsilon from one run under f-DP (Mahloujifar, Melis, Chaudhuri 2410.22235).

Each of m coins decides whether a canary is there. Whoever sees the output guesses c' of them, fixed
beforehand. If the mechanism is f-DP and p_i is the probability of i right guesses, then for every c

    sum_{i >= c} (i / m) p_i  <=  F( sum_{i >= c - 1} ((c' - i) / m) p_i ),

where F bounds right by wrong guesses (`gradval.audit.trade_off`): take the coins one by one, and
average. So c right guesses refute f if no p with p_c + p_{c + 1} + ... >= alpha fits, which the
recursion of `refutes` decides. It assumes nothing of how the canaries' outputs hang together.

The claimed mechanism itself is such an f, and is refuted or not, whatever the truth is. A lower
bound needs to know what else it could be: the same with more noise or less. The bound is the
epsilon of the weakest of these that is refuted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradval.audit.trade_off import Mechanism, Side, TradeOff, mechanism_of, with_weaker
from gradval.privacy.accountants import Event

# Three tests are made on the same guesses; their errors add up to that of the audit. Where both
# directions are alike the first is the sharpest; with rare sampling the others are.
SHARES: dict[Side, float] = {"both": 0.6, "in": 0.2, "out": 0.2}
# Beyond this nothing is looked for.
_MOST_EPSILON, _MOST_NOISE = 30.0, 256


@dataclass(frozen=True)
class Guesses:
    """How many guesses there were, and how many were right, of m coins.

    Attributes:
        coins: m.
        each: guesses "in", and as many "out".
        right_in, right_out: of each.
    """

    coins: int
    each: int
    right_in: int
    right_out: int

    def of(self, side: Side) -> tuple[int, int]:
        """Guesses and right ones of a side."""
        return {
            "in": (self.each, self.right_in),
            "out": (self.each, self.right_out),
            "both": (2 * self.each, self.right_in + self.right_out),
        }[side]


def guess(scores: NDArray[np.float64], there: NDArray[np.bool_], guesses: int) -> Guesses:
    """Guess "in" for the largest scores and "out" for the smallest, half of the guesses each.

    Args:
        scores: `(m,)`, larger if the canary seems to be there; ties go by position.
        there: `(m,)`, the coins.
        guesses: even, at most m; fixed before anything was seen.

    Raises:
        ValueError: `guesses` is odd, not positive, or more than there are scores; or a score is
            not a number.
    """
    if not 0 < guesses <= len(scores) or guesses % 2:
        raise ValueError(
            f"the number of guesses must be even and in 2..{len(scores)}, got {guesses}"
        )
    if np.isnan(scores).any():
        raise ValueError("a canary's score is not a number")
    order, half = np.argsort(scores, kind="stable"), guesses // 2
    right_in, right_out = there[order[-half:]].sum(), (~there[order[:half]]).sum()
    return Guesses(len(scores), half, int(right_in), int(right_out))


def refutes(curve: TradeOff, right: int, guesses: int, coins: int, alpha: float) -> bool:
    """Whether so many right guesses have a probability below `alpha` under a trade-off curve.

    Args:
        curve: of the hypothesis.
        right, guesses, coins: c of c' guesses on m coins.
        alpha: in (0, 1).

    Raises:
        ValueError: not 0 <= c <= c' <= m.
    """
    if not 0 <= right <= guesses <= coins:
        raise ValueError(
            "right <= guesses <= coins must hold, "
            f"got right={right}, guesses={guesses}, coins={coins}"
        )
    # The least that A and B can be, summed over outcomes of more than i right guesses.
    a, b, all_guesses = alpha * right / coins, alpha * (guesses - right) / coins, guesses / coins
    for i in range(right - 1, -1, -1):
        more = curve.least_wrong(a)
        if more <= b:
            break
        a += i / (guesses - i) * (more - b)
        b = more
        if a + b > all_guesses:
            break
    return bool(a + b > all_guesses)


@dataclass(frozen=True)
class Bound:
    """What guesses say about a claim.

    Attributes:
        epsilon: with the audit's confidence the true epsilon is not below it, if the mechanism is
            the claimed one but for the size of its noise.
        refuted: whether the claimed mechanism is refuted; that assumes nothing.
        refutable: whether it would be if every guess were right.
    """

    epsilon: float
    refuted: bool
    refutable: bool


def bound_epsilon(
    guesses: Guesses, events: Sequence[Event], delta: float, confidence: float
) -> Bound:
    """Bound epsilon from below.

    Args:
        guesses: on independent fair coins.
        events: what is claimed to have been executed.
        delta: of epsilon.
        confidence: in [0.5, 1), of all that is said.

    Raises:
        ValueError: `confidence` is out of range, or there is no event with steps.
    """
    if not 0.5 <= confidence < 1:
        raise ValueError(f"confidence must be in [0.5, 1), got {confidence}")
    claim = mechanism_of(events)
    perfect = Guesses(guesses.coins, guesses.each, guesses.each, guesses.each)
    weakest = _weakest_refuted(guesses, claim, delta, confidence)
    return Bound(
        epsilon=0.0 if weakest is None else weakest.epsilon(delta),
        refuted=weakest is not None and weakest.weaker >= 0,
        refutable=_refuted(perfect, claim, confidence),
    )


def _refuted(guesses: Guesses, mechanism: Mechanism, confidence: float) -> bool:
    for side, share in SHARES.items():
        made, right = guesses.of(side)
        curve, alpha = mechanism.trade_off(side), share * (1 - confidence)
        if refutes(curve, right, made, guesses.coins, alpha):
            return True
    return False


def _weakest_refuted(
    guesses: Guesses, claim: Mechanism, delta: float, confidence: float
) -> Mechanism | None:
    """The mechanism with the least noise that is refuted: what is refuted with less is with more.

    Its neighbours are tried from the claim on, in steps that double, and then between.
    """

    def refuted(weaker: int) -> bool:
        return _refuted(guesses, with_weaker(claim, weaker), confidence)

    step, beyond = 1, refuted(0)
    low = high = 0
    if beyond:
        while refuted(high := low + step):
            low, step = high, 2 * step
            if with_weaker(claim, low).epsilon(delta) > _MOST_EPSILON:
                return with_weaker(claim, low)
    else:
        while not refuted(low := high - step):
            high, step = low, 2 * step
            if high < -_MOST_NOISE:
                return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return with_weaker(claim, low)
