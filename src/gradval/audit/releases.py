"""An audit of what is published: two neighbouring data sets, and which of them was asked.

A release says one thing, so one coin can be guessed from it: it is drawn many times, each time for
one of two neighbours by a fair coin. Draws are independent, and all of them together are as private
towards each coin as one of them.
"""

from collections.abc import Callable, Sequence

import numpy as np

from gradval.audit.result import AuditPlan, AuditResult, judge
from gradval.privacy.accountants import Event
from gradval.training.recipe import derive_seed


def audit_release(
    draw: Callable[[bool], float],
    events: Sequence[Event],
    audit: AuditPlan,
    *,
    relation: str,
    seed: int,
    delta: float = 1e-9,
) -> AuditResult:
    """Draw a release once for every coin, and bound epsilon from below.

    Args:
        draw: one release from the first (false) or the second (true) of two neighbouring data sets,
            as one number that is larger for the second.
        events: what one release is claimed to be.
        audit: as many draws as canaries; guesses and confidence.
        relation: in which the two are neighbours, in words.
        seed: of the coins; the noise is the release's own.
        delta: of claim and bounds; next to nothing, for pure releases.

    Raises:
        ValueError: as `gradval.audit.result.judge`.
    """
    coins = np.random.default_rng(derive_seed(seed, "coins")).random(audit.canaries) < 0.5
    scores = np.array([draw(bool(coin)) for coin in coins], dtype=np.float64)
    return judge(scores, coins, events, audit, delta=delta, accountant="pld", relation=relation)
