"""The second phase after a removal: its plan, and what is composed with it."""

import pytest

from gradval.privacy.events import extended, training_event
from gradval.privacy.plan import plan_phases
from gradval.privacy.release import release_event, released_events
from gradval.training.second_phase import second_phase

PLAN = {
    "batch_size": 256,
    "epochs": 30,
    "first_epochs": 10,
    "second_epochs": 20,
    "removed_fraction": 0.25,
    "delta": 1e-4,
}
PHASES = plan_phases(1437, **PLAN, target_epsilon=4, accountant="rdp", release_epsilon=0.5)
PLAIN = plan_phases(1437, **PLAN, target_epsilon=None)


def first_phase(phases=PHASES):
    return extended(None, training_event(phases["first"], name="first", clipping_norm=1.0))


@pytest.mark.parametrize("phases", [PHASES, PLAIN], ids=["private", "nonprivate"])
@pytest.mark.parametrize(
    ("removal", "plan", "selection"),
    [
        ("vog", "second_pruned", "raw"),
        ("random", "second_pruned", "random"),
        ("none", "second_unpruned", "none"),
    ],
)
def test_removals_by_raw_scores_and_controls_do_not_pay_for_a_release(
    phases, removal, plan, selection
):
    first = first_phase(phases)
    second = second_phase(removal, phases, first=first)
    assert (second.plan, second.selection) == (phases[plan], selection)
    assert second.before == first


def test_a_removal_by_released_scores_pays_for_the_one_that_it_uses():
    first = first_phase()
    vog, plis = (release_event(name, (0, 1), 0.5, 1437) for name in ("vog", "plis"))
    released = released_events(first, [vog, plis])
    second = second_phase("plis_released", PHASES, first=first, released=released)
    assert (second.plan, second.selection) == (PHASES["second_released"], "released")
    assert second.before == extended(first, plis)
    for others in (None, released):
        with pytest.raises(ValueError, match="loss was not released from the first phase"):
            second_phase("loss_released", PHASES, first=first, released=others)


def test_a_private_phase_does_not_follow_one_without_privacy():
    with pytest.raises(ValueError, match="the first phase was not private: train it again"):
        second_phase("vog", PHASES, first=first_phase(PLAIN))
