"""What a whole study costs: composed, charged before it is spent, refused as a whole."""

import pytest

from gradval.privacy.accountants import Laplace, Pure, SampledGaussian, epsilon
from gradval.privacy.budget import BudgetExceeded
from gradval.privacy.plan import PhasePlan
from gradval.privacy.study_cost import DataBudget, composed, from_plain, job_events, to_plain

DELTA = 1e-4
RUN = SampledGaussian(0.1, 2.0, 50)
# Of the order in which they are charged, nothing depends.
ONE, TWO, FOUR = (epsilon([RUN] * n, DELTA, "rdp") for n in (1, 2, 4))


def question(number, event=RUN, unit="sample"):
    return {"run": f"run {number}", "unit": unit, "events": [to_plain(event)]}


def budget(folder, limit, planned=()):
    return DataBudget(
        folder / "spent.jsonl", limit, delta=DELTA, accountant="rdp", planned=planned, name="digits"
    )


def test_equal_mechanisms_are_counted_and_others_composed():
    other, pure = SampledGaussian(0.1, 3.0, 50), Pure(0.5)
    assert composed([RUN, RUN, RUN, RUN], DELTA, "rdp") == pytest.approx(FOUR)
    assert composed([RUN, other, RUN], DELTA, "rdp") == pytest.approx(
        epsilon([SampledGaussian(0.1, 2.0, 100), other], DELTA, "rdp")
    )
    assert composed([RUN, pure, pure], DELTA, "rdp") == pytest.approx(ONE + 1)
    # Less than the sum: that is why it is composed.
    assert ONE < TWO < FOUR < 4 * ONE


@pytest.mark.parametrize("event", [RUN, Laplace(2.0), Pure(0.3, 2)])
def test_a_mechanism_survives_being_written(event):
    assert from_plain(to_plain(event)) == event


def test_the_same_run_is_charged_once_unless_its_noise_is_new(tmp_path):
    spent = budget(tmp_path, 100)
    for _ in range(3):
        spent.charge(question(0))
    assert spent.spent == pytest.approx(ONE)
    spent.charge(question(0), again=True)
    assert spent.spent == pytest.approx(TWO)


def test_a_study_that_does_not_fit_is_refused_before_its_first_run(tmp_path):
    planned = [question(number) for number in range(4)]
    with pytest.raises(BudgetExceeded, match=r"datasets.digits.budget: .* compose to") as no:
        budget(tmp_path, FOUR * 0.999, planned).charge(planned[0])
    assert "\n" not in str(no.value) and not budget(tmp_path, 1).charges()
    fits = budget(tmp_path, FOUR * 1.001, planned)
    for asked in planned:
        fits.charge(asked)
    # What is done already is not planned once more.
    fits.charge(planned[0])
    assert fits.spent == pytest.approx(FOUR)
    with pytest.raises(BudgetExceeded):
        budget(tmp_path, FOUR * 1.001).charge(question(4))


def test_units_are_not_mixed(tmp_path):
    budget(tmp_path, 100).charge(question(0))
    with pytest.raises(ValueError, match="charged for each sample, and now the unit is a group"):
        budget(tmp_path, 100).charge(question(1, unit="group"))


def test_jobs_execute_what_is_planned():
    phases = {
        name: PhasePlan(100, 0.1, steps, 1.0)
        for steps, name in enumerate(
            ("full", "first", "second_pruned", "second_unpruned", "second_released"), 1
        )
    }
    assert job_events("full", phases) == job_events("audit", phases) == [phases["full"].event()]
    both = [phases["first"].event(), phases["second_pruned"].event()]
    assert job_events("audit", phases, audited="pruned") == both
    removals = ["vog", "vog_released", "random", "none"]
    steps = [event.steps for event in job_events("pruned", phases, removals=removals)]
    assert steps == [3, 5, 3, 4]
