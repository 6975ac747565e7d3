"""Plans: every phase fixed beforehand, and all that concerns a sample composed to the target."""

import json

import pytest

from gradval.privacy.accountants import ACCOUNTANTS, Laplace, epsilon
from gradval.privacy.plan import (
    phase_of,
    phases_from_dict,
    phases_to_dict,
    plan_phases,
    plan_second_phase,
)

PLAN = {
    "batch_size": 256,
    "epochs": 30,
    "first_epochs": 10,
    "second_epochs": 20,
    "removed_fraction": 0.25,
    "delta": 1e-4,
}


def test_plan_composes_to_the_target_for_those_kept():
    phases = plan_phases(1437, **PLAN, target_epsilon=4)
    for names in (("full",), ("first", "second_pruned"), ("first", "second_unpruned")):
        total = epsilon([phases[name].event() for name in names], 1e-4)
        assert 3.99 < total <= 4
    assert phases["first"].noise_multiplier == phases["second_pruned"].noise_multiplier
    assert epsilon([phases["first"].event()], 1e-4) < 4


def test_another_second_phase_meets_the_target_after_the_same_first_phase():
    first = plan_phases(1437, **PLAN, target_epsilon=4)["first"]
    options = {"batch_size": 256, "epochs": 20, "delta": 1e-4}
    second = plan_second_phase(first, 700, **options, target_epsilon=4)
    assert 3.99 < epsilon([first.event(), second.event()], 1e-4) <= 4
    assert second.samples == 700 and second.expected_batch_size == pytest.approx(256)
    plain = plan_second_phase(first, 700, **options, target_epsilon=None)
    assert plain == phase_of(700, 256, 20)


@pytest.mark.parametrize("accountant", ACCOUNTANTS)
def test_a_release_is_paid_for_by_the_second_phase(accountant):
    plain = plan_phases(1437, **PLAN, target_epsilon=4, accountant=accountant)
    phases = plan_phases(1437, **PLAN, target_epsilon=4, accountant=accountant, release_epsilon=0.8)
    assert {name: phases[name] for name in plain} == plain
    first, second = phases["first"].event(), phases["second_released"].event()
    total = epsilon([first, Laplace(1 / 0.8), second], 1e-4, accountant)
    assert 3.99 < total <= 4
    assert second.noise_multiplier > plain["second_pruned"].event().noise_multiplier
    assert second.steps == plain["second_pruned"].steps


def test_a_release_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match=r"release at epsilon 3 cost .* lower release\.share"):
        plan_phases(1437, **PLAN, target_epsilon=4, release_epsilon=3)


def test_batch_size_stays_and_the_rate_rises_when_the_set_shrinks():
    phases = plan_phases(1000, **PLAN, target_epsilon=None)
    assert phases["second_pruned"].samples == 750
    for phase in phases.values():
        assert phase.expected_batch_size == pytest.approx(256)
    assert phases["second_pruned"].sampling_rate > phases["first"].sampling_rate
    assert phases["second_pruned"].steps == round(20 * 750 / 256)
    with pytest.raises(ValueError, match="without noise"):
        phases["full"].event()


def test_a_batch_larger_than_the_set_takes_everyone():
    assert phase_of(100, 256, 3) == phase_of(100, 100, 3)
    assert phase_of(100, 256, 3).sampling_rate == 1 and phase_of(100, 256, 3).steps == 3


def test_a_delta_that_promises_nothing_is_refused():
    options = {**PLAN, "delta": 1 / 1437}
    with pytest.raises(ValueError, match=r"delta is \S+, but must be below 1/1437"):
        plan_phases(1437, **options, target_epsilon=4)
    plan = plan_phases(1437, **options, target_epsilon=None)
    assert plan["full"].noise_multiplier is None


def test_plan_survives_json():
    phases = plan_phases(500, **PLAN, target_epsilon=8)
    assert phases_from_dict(json.loads(json.dumps(phases_to_dict(phases)))) == phases
