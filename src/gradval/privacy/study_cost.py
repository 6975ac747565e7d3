"""What a whole study costs a data set: its trainings, audits and releases, composed.

The unit of the account is the one of the trainings (an image or a group), and everything is counted
for the unit that takes part in all of it: what was removed before a second phase is charged it too.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gradval.privacy.accountants import Event, Laplace, Pure, SampledGaussian, epsilon
from gradval.privacy.budget import Budget, BudgetExceeded, Question
from gradval.privacy.plan import PhasePlan
from gradval.study.names import score_of

_KINDS: dict[str, Callable[..., Event]] = {
    "gaussian": SampledGaussian,
    "laplace": Laplace,
    "pure": Pure,
}
# Sums of floating-point numbers are exact to rounding.
_SLACK = 1 + 1e-9


def composed(events: Iterable[Event], delta: float, accountant: str) -> float:
    """Epsilon of everything together; equal mechanisms are counted, not listed.

    Args:
        events: of any number of runs.
        delta, accountant: as in `gradval.privacy.accountants.epsilon`.
    """
    steps: Counter[tuple[Any, ...]] = Counter()
    for event in events:
        kind, *numbers = to_plain(event).values()
        steps[kind, *numbers[:-1]] += event.steps
    return epsilon([_KINDS[key[0]](*key[1:], n) for key, n in steps.items()], delta, accountant)


def to_plain(event: Event) -> dict[str, Any]:
    """A mechanism as plain values: its kind, its numbers, and steps last."""
    kind = next(name for name, known in _KINDS.items() if known is type(event))
    return {"kind": kind, **vars(event)}


def from_plain(content: Mapping[str, Any]) -> Event:
    """The inverse of `to_plain`."""
    return _KINDS[content["kind"]](**{k: v for k, v in content.items() if k != "kind"})


def job_events(
    job: str,
    phases: Mapping[str, PhasePlan],
    *,
    removals: Sequence[str] = (),
    audited: str = "full",
) -> list[Event]:
    """What a job of the workflow executes, before it does.

    Args:
        job: `full`, `first`, `audit` (with canaries) or `pruned` (a second phase a removal).
        phases: of the setting, all private.
        removals: see `gradval.study.names.removals`.
        audited: what an audit trains: a `full` run, or both phases (`pruned`).
    """
    if job == "audit" and audited == "pruned":
        return [phases[name].event() for name in ("first", "second_pruned")]
    if job != "pruned":
        return [phases["full" if job == "audit" else job].event()]
    return [phases[_second_phase(removal)].event() for removal in removals]


def _second_phase(removal: str) -> str:
    if removal == "none":
        return "second_unpruned"
    return "second_released" if score_of(removal)[1] else "second_pruned"


class DataBudget(Budget):
    """The budget of everything that is done with a data set, on the epsilon of the composition.

    A question says what is charged: `{"run": ..., "unit": ..., "events": [...], ...}`, with events
    as of `to_plain`, and of which data.

    Args:
        path: of the file.
        limit: on the composed epsilon.
        delta, accountant: of the composition.
        planned: questions that the study is going to ask. Already the first one is refused if all
            of them do not fit, so that nothing is spent on a study that cannot be finished.
        name: of the data set, for messages.
    """

    def __init__(
        self,
        path: str,
        limit: float,
        *,
        delta: float,
        accountant: str,
        planned: Sequence[Question] = (),
        name: str = "",
    ) -> None:
        super().__init__(path, limit)
        self.delta, self.accountant = delta, accountant
        self.planned, self.name = planned, name

    def charge(self, question: Question, *, again: bool = False) -> None:
        """Charge what is about to be executed; the same question is charged once.

        Args:
            question: see above.
            again: whether to charge it once more, for noise that does not come a second time.

        Raises:
            BudgetExceeded: it does not fit, or what is planned does not; nothing is charged.
            ValueError: the file holds charges for another unit, or was tampered with.
        """
        events = [from_plain(event) for event in question["events"]]
        own = composed(events, self.delta, self.accountant)
        self.ask(question, own, lambda: None, again=again)

    @property
    def spent(self) -> float:
        """Epsilon of everything that was charged, composed."""
        return self._composed([entry["question"] for entry in self.charges()])

    def _composed(self, questions: Iterable[Question]) -> float:
        events = [from_plain(event) for q in questions for event in q["events"]]
        return composed(events, self.delta, self.accountant)

    def _check_limit(self, entries: list[dict[str, Any]], asked: Question, epsilon: float) -> None:
        charged = [entry["question"] for entry in entries if entry["kind"] == "charge"]
        for question in charged:
            if question["unit"] != asked["unit"]:
                raise ValueError(
                    f"{self.path}: was charged for each {question['unit']}, and now the unit is a "
                    f"{asked['unit']} (privacy.unit): what hides one does not compose with what "
                    "hides the other"
                )
        there = [_key(question) for question in (*charged, asked)]
        coming = [question for question in self.planned if _key(question) not in there]
        assert self.limit is not None
        total = self._composed([*charged, asked, *coming])
        if total > self.limit * _SLACK:
            raise BudgetExceeded(
                f"datasets.{self.name}.budget: epsilon {self.limit:g}, but what was spent "
                f"({self._composed(charged):.4g}) and what this study is going to do compose to "
                f"{total:.4g} at delta {self.delta:g}; nothing was spent on it. Ask for less "
                "(grid.privacy, seeds, draws), or raise the budget"
            )


def _key(question: Question) -> tuple[Any, Any]:
    """What is known of a question before it is asked: data may not be there yet."""
    return question["run"], question["events"]
