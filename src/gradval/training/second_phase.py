"""What the second phase after a removal executes, and what it promises."""

from collections.abc import Mapping, Sequence
from typing import Any

from gradval.privacy.ledger import RAW_SELECTION, RELEASED_SELECTION
from gradval.privacy.plan import PhasePlan
from gradval.study import CONTROLS, score_of
from gradval.training.run import PrivacyStatement

Event = Mapping[str, Any]


def second_phase(
    removal: str,
    phases: Mapping[str, PhasePlan],
    *,
    privacy: Mapping[str, Any],
    first_events: Sequence[Event],
    releases: Mapping[str, Event],
) -> tuple[PhasePlan, PrivacyStatement | None]:
    """The plan of a second phase and its statement, `None` for a run without privacy.

    Args:
        removal: one of `gradval.study.removals`.
        phases: of the setting, see `gradval.privacy.plan.plan_phases`.
        privacy: target and accounting, see `PrivacyStatement.of`.
        first_events: ledger records of the first phase, one; none without privacy.
        releases: score -> ledger record of its release.
    """
    score, released = score_of(removal)
    before = [*first_events, *([releases[score]] if released else [])]
    everything = tuple(range(len(before) + 1))
    if removal == "none":
        plan, groups = "second_unpruned", {"everyone": everything}
    else:
        plan = "second_released" if released else "second_pruned"
        groups = {"kept": everything, "removed": everything[:-1]}
    notes: tuple[str, ...] = ()
    if removal not in CONTROLS:
        notes = (RELEASED_SELECTION if released else RAW_SELECTION,)
    statement = PrivacyStatement.of(
        privacy, phase="second", groups=groups, earlier_events=tuple(before), notes=notes
    )
    return phases[plan], statement
