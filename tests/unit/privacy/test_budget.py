"""The budget: charged before a draw, the same question the same answer, nothing beyond it."""

import json
import multiprocessing
import os
import stat

import pytest

from gradval.privacy.budget import Budget, BudgetExceeded

QUESTION = {"score": "vog", "statistic": "mean", "bounds": [0.0, 1.0]}


def other(number):
    return {**QUESTION, "number": number}


class Dice:
    """Draws that can be told apart and counted."""

    def __init__(self):
        self.draws = 0

    def __call__(self):
        self.draws += 1
        return {"mean": self.draws + 0.1}


@pytest.fixture
def budget(tmp_path):
    return Budget(tmp_path / "site" / "budget.jsonl", 2.0)


def test_the_same_question_gets_the_same_answer_for_nothing(budget):
    dice = Dice()
    answers = [budget.ask(QUESTION, 0.5, dice) for _ in range(3)]
    assert answers == [{"mean": 1.1}] * 3 and dice.draws == 1 and budget.spent == 0.5
    # In another process too, whose dictionary has another order.
    shuffled = dict(reversed(QUESTION.items()))
    assert Budget(budget.path, 2.0).ask(shuffled, 0.5, dice) == {"mean": 1.1}


def test_another_draw_needs_a_word_and_is_charged(budget):
    dice = Dice()
    budget.ask(QUESTION, 0.5, dice)
    assert budget.ask(QUESTION, 0.5, dice, again=True) == {"mean": 2.1}
    assert budget.spent == 1.0
    assert budget.ask(QUESTION, 0.5, dice) == {"mean": 2.1} and dice.draws == 2


def test_nothing_is_drawn_beyond_the_budget(budget):
    dice = Dice()
    for number in range(4):
        budget.ask(other(number), 0.5, dice)
    with pytest.raises(BudgetExceeded, match=r"epsilon 0.5 exceeds the budget: 2 of 2 is spent"):
        budget.ask(other(4), 0.5, dice)
    with pytest.raises(BudgetExceeded):
        budget.ask(other(0), 0.5, dice, again=True)
    assert dice.draws == 4 and budget.spent == 2.0
    assert budget.ask(other(0), 0.5, dice) == {"mean": 1.1}


def test_the_charge_is_on_the_disk_before_the_draw(budget, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_size))

    def draw():
        (line,) = budget.path.read_text().splitlines()
        entry = json.loads(line)
        assert entry["kind"] == "charge" and entry["epsilon"] == 0.5
        assert synced and len(line) + 1 in synced
        return 1.0

    assert budget.ask(QUESTION, 0.5, draw) == 1.0
    assert stat.S_IMODE(budget.path.stat().st_mode) == 0o600


def test_a_draw_that_failed_stays_charged_and_is_made_once_more(budget):
    def fails():
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        budget.ask(QUESTION, 0.5, fails)
    assert budget.spent == 0.5
    assert budget.ask(QUESTION, 0.5, Dice()) == {"mean": 1.1} and budget.spent == 0.5


def test_half_a_line_of_a_killed_process_is_forgotten(budget):
    budget.ask(QUESTION, 0.5, Dice())
    with budget.path.open("ab") as file:
        file.write(b'{"previous": "12')
    assert budget.spent == 0.5
    budget.ask(other(1), 0.5, Dice())
    assert budget.spent == 1.0 and len(budget.path.read_text().splitlines()) == 4


@pytest.mark.parametrize("change", ["edit", "remove", "reorder"])
def test_changed_lines_are_noticed(budget, change):
    for number in range(3):
        budget.ask(other(number), 0.5, Dice())
    lines = budget.path.read_text().splitlines(keepends=True)
    if change == "edit":
        lines[0] = lines[0].replace('"epsilon": 0.5', '"epsilon": 0.1')
    elif change == "remove":
        del lines[2]
    else:
        lines[0], lines[2] = lines[2], lines[0]
    budget.path.write_text("".join(lines))
    with pytest.raises(ValueError, match=r"budget.jsonl, line [123]: not what was written"):
        budget.ask(other(9), 0.5, Dice())


def _ask(path, number):
    try:
        Budget(path, 2.0).ask(other(number), 0.5, lambda: number)
    except BudgetExceeded:
        return 0
    return 1


def test_processes_cannot_overdraw_together(budget):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        done = pool.starmap(_ask, [(budget.path, number) for number in range(8)])
    assert sum(done) == 4 and budget.spent == 2.0


@pytest.mark.parametrize("epsilon", [0.0, -1.0, float("nan"), float("inf")])
def test_free_draws_are_refused(budget, epsilon):
    with pytest.raises(ValueError, match="positive number"):
        budget.ask(QUESTION, epsilon, Dice())


def test_limits(tmp_path):
    with pytest.raises(ValueError, match="positive, got 0"):
        Budget(tmp_path / "b.jsonl", 0)
    free = Budget(tmp_path / "b.jsonl", None)
    free.ask(QUESTION, 1e6, Dice())
    assert free.spent == 1e6 and free.charges()[0]["limit"] is None
