"""What the second phase after a removal executes, and what it promises."""

from collections.abc import Mapping
from typing import Any

from gradval.privacy import ledger as ledgers
from gradval.privacy.plan import PhasePlan
from gradval.study.names import CONTROLS, score_of
from gradval.training.run import PrivacyStatement

Event = Mapping[str, Any]


def second_phase(
    removal: str,
    phases: Mapping[str, PhasePlan],
    *,
    privacy: Mapping[str, Any],
    first_ledger: Mapping[str, Any],
    releases: Mapping[str, Event],
) -> tuple[PhasePlan, PrivacyStatement | None]:
    """The plan of a second phase and its statement, `None` for a run without privacy.

    Args:
        removal: one of `gradval.study.names.removals`.
        phases: of the setting, see `gradval.privacy.plan.plan_phases`.
        privacy: target and accounting, see `PrivacyStatement.of`.
        first_ledger: of the first phase.
        releases: score -> ledger record of its release.

    Raises:
        ValueError: the first phase promises something else than the second, or nothing.
    """
    if privacy["target_epsilon"] is not None:
        _check_first(first_ledger, privacy)
    score, released = score_of(removal)
    before = [*first_ledger.get("events", ()), *([releases[score]] if released else [])]
    everything = tuple(range(len(before) + 1))
    if removal == "none":
        plan, groups = "second_unpruned", {"everyone": everything}
    else:
        plan = "second_released" if released else "second_pruned"
        groups = {"kept": everything, "removed": everything[:-1]}
    kind = removal if removal in CONTROLS else "released" if released else "raw"
    statement = PrivacyStatement.of(
        privacy, phase="second", groups=groups, earlier_events=tuple(before), selection=kind
    )
    return phases[plan], statement


def _check_first(ledger: Mapping[str, Any], privacy: Mapping[str, Any]) -> None:
    """Refuse to compose the second phase with a first one of other promises."""
    ledgers.check(ledger, "ledger of the first phase")
    if not ledger["private"]:
        raise ValueError("the first phase was not private: train it again")
    expected = {
        "randomness": ledgers.randomness(privacy["secret_noise"]),
        "delta": privacy["delta"],
    }
    for key, value in expected.items():
        if ledger[key] != value:
            raise ValueError(
                f"ledger of the first phase: {key} is {ledger[key]}, but {value} in the config: "
                "train the first phase again"
            )
