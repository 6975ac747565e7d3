"""From the scores of canaries to what an audit says of a claim."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gradval.audit.f_dp import bound_epsilon, guess
from gradval.audit.lower_bound import epsilon_lower_bound
from gradval.privacy.accountants import NEIGHBOURING_RELATION, Event, epsilon

logger = logging.getLogger("gradval")

Sees = Literal["steps", "weights"]


@dataclass(frozen=True)
class AuditPlan:
    """What an audit does, all of it fixed before it starts.

    Attributes:
        canaries: number m of canaries, each there by a fair coin.
        guesses: number c' of guesses, even, at most m; half in and half out.
        confidence: of the lower bounds, in [0.5, 1).
        sees: what whoever guesses sees: the weights after every `steps`, as the accountant
            assumes, or the final `weights` alone.
    """

    canaries: int
    guesses: int
    confidence: float
    sees: Sees = "steps"


@dataclass(frozen=True)
class AuditResult:
    """What an audit found, beside what is claimed.

    Attributes:
        claimed_epsilon: of the executed events, under `accountant`.
        delta, neighbouring_relation: of the claim and of the bounds.
        accountant: a key of `gradval.privacy.accountants.ACCOUNTANTS`.
        epsilon_lower_bound: with `confidence` the true epsilon at `delta` is not below it, if the
            mechanism is the claimed one but for the size of its noise (`gradval.audit.f_dp`).
        any_mechanism: the same without the condition (`gradval.audit.lower_bound`).
        confidence: of each bound.
        refuted: whether the claimed events are refuted.
        refutable: whether they would be if every guess were right.
        canaries, included, guesses, correct_in, correct_out: counts.
        sees: what was seen.
        events: what was executed, as plain numbers.
    """

    claimed_epsilon: float
    delta: float
    neighbouring_relation: str
    accountant: str
    epsilon_lower_bound: float
    any_mechanism: float
    confidence: float
    refuted: bool
    refutable: bool
    canaries: int
    included: int
    guesses: int
    correct_in: int
    correct_out: int
    sees: str
    events: list[dict[str, Any]]


def judge(
    scores: NDArray[np.float64],
    included: NDArray[np.bool_],
    events: Sequence[Event],
    audit: AuditPlan,
    *,
    delta: float,
    accountant: str,
    relation: str = NEIGHBOURING_RELATION,
) -> AuditResult:
    """Guess the coins from the scores, and say what follows for the claim.

    Args:
        scores: `(m,)`, larger if the canary seems to be there.
        included: bool `(m,)`, the coins.
        events: what is claimed to have been executed.
        audit: as planned.
        delta: of claim and bounds.
        accountant: states the claim; see `gradval.privacy.accountants.epsilon`.
        relation: neighbouring data sets, in words.

    Raises:
        ValueError: as `guess` and `bound_epsilon`.
    """
    guesses = guess(scores, included, audit.guesses)
    bound = bound_epsilon(guesses, events, delta, audit.confidence)
    made, right = guesses.of("both")
    claimed = epsilon(events, delta, accountant)
    if bound.refuted:
        logger.warning(
            "the claim is refuted: with confidence %g this is not what the ledger says; epsilon "
            "is about %.3f or more, claimed is %.3f",
            audit.confidence,
            bound.epsilon,
            claimed,
        )
    return AuditResult(
        claimed_epsilon=claimed,
        delta=delta,
        neighbouring_relation=relation,
        accountant=accountant,
        epsilon_lower_bound=bound.epsilon,
        any_mechanism=epsilon_lower_bound(right, made, len(scores), delta, audit.confidence),
        confidence=audit.confidence,
        refuted=bound.refuted,
        refutable=bound.refutable,
        canaries=len(scores),
        included=int(included.sum()),
        guesses=made,
        correct_in=guesses.right_in,
        correct_out=guesses.right_out,
        sees=audit.sees,
        events=[asdict(event) for event in events],
    )
