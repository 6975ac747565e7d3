"""What the second phase after a removal executes, and what led to it."""

from collections.abc import Mapping
from dataclasses import dataclass

from gradval.privacy.events import Events, Release, Selection, extended
from gradval.privacy.plan import PhasePlan
from gradval.study.names import CONTROLS, score_of


@dataclass(frozen=True)
class SecondPhase:
    """A second phase before it is executed.

    Attributes:
        plan: of its steps.
        before: what was executed before it and concerns it.
        selection: what its samples were chosen by.
    """

    plan: PhasePlan
    before: Events
    selection: Selection


def second_phase(
    removal: str,
    phases: Mapping[str, PhasePlan],
    *,
    first: Events,
    released: Events | None = None,
) -> SecondPhase:
    """The second phase after a removal.

    Args:
        removal: one of `gradval.study.names.removals`.
        phases: of the setting, see `gradval.privacy.plan.plan_phases`.
        first: what led to the weights that are resumed from.
        released: what led to the released scores of that phase, if there are any.

    Raises:
        ValueError: the second phase is private and the first was not, or the released scores that
            the removal goes by are missing.
    """
    score, by_release = score_of(removal)
    plan: str
    selection: Selection
    if removal == "none":
        plan, selection = "second_unpruned", "none"
    elif by_release:
        plan, selection = "second_released", "released"
    else:
        plan, selection = "second_pruned", "random" if removal in CONTROLS else "raw"
    if phases[plan].noise_multiplier is not None and not first.private:
        raise ValueError("the first phase was not private: train it again")
    before = extended(first, _release_of(score, released)) if by_release else first
    return SecondPhase(phases[plan], before, selection)


def _release_of(score: str, released: Events | None) -> Release:
    for event in released.events if released is not None else ():
        if isinstance(event, Release) and event.score == score:
            return event
    raise ValueError(f"removal {score}_released: {score} was not released from the first phase")
