"""Every epsilon of a ledger again, from the events that it lists."""

import math
from dataclasses import dataclass
from pathlib import Path

from gradval.privacy.accountants import ACCOUNTANTS
from gradval.privacy.events import Events
from gradval.privacy.ledger import check, composed_epsilon
from gradval.privacy.records import read_record
from gradval.runtime.files import read_json

RELATIVE_TOLERANCE = 1e-3
# By which a recomputed epsilon may exceed the target: other libraries round otherwise.
_RECOMPUTED_SLACK = 2e-4
# Beyond it a ledger promises nothing, and the tight accountants would need much time and memory.
_MOST_EPSILON = 1000.0


@dataclass(frozen=True)
class Recomputed:
    """One epsilon of a ledger beside the same from its events.

    Attributes:
        group: name of the group of samples that it holds for.
        accountant: a key of `gradval.privacy.accountants.ACCOUNTANTS`.
        stated: what the ledger says; `None` if it does not use this accountant.
        recomputed: from the events.
        target: that the claim's accountant must not exceed; `None` for the others.
    """

    group: str
    accountant: str
    stated: float | None
    recomputed: float
    target: float | None

    @property
    def agrees(self) -> bool:
        """Whether what is stated, if anything, is what is recomputed, to 0.1%."""
        return self.stated is None or math.isclose(
            self.stated, self.recomputed, rel_tol=RELATIVE_TOLERANCE
        )

    @property
    def meets_target(self) -> bool:
        """Whether what is recomputed is not above the target."""
        return self.target is None or self.recomputed <= self.target * (1 + _RECOMPUTED_SLACK)


def recompute(path: str | Path) -> list[Recomputed]:
    """Recompute the epsilons of a ledger file under every accountant.

    Returns:
        One entry for each group and accountant; none for a run without privacy.

    Raises:
        ValueError: the file is not a ledger, or its epsilon is beyond all use.
    """
    ledger = read_json(path)
    check(ledger, str(path))
    if not ledger["private"]:
        return []
    events = read_record(Events, {"events": ledger["events"]}, str(path)).events
    delta, rows = ledger["delta"], []
    for i, group in enumerate(ledger["groups"]):
        if composed_epsilon(events, group["events"], delta, "rdp") > _MOST_EPSILON:
            raise ValueError(
                f"{path}: $.groups[{i}]: the epsilon of its events is above {_MOST_EPSILON:g}, "
                "which promises nothing"
            )
        rows += [
            Recomputed(
                group["name"],
                accountant,
                group["epsilon"].get(accountant),
                composed_epsilon(events, group["events"], delta, accountant),
                ledger["target_epsilon"] if accountant == ledger["accountant"] else None,
            )
            for accountant in ACCOUNTANTS
        ]
    return rows
