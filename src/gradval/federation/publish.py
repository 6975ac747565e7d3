"""What a site publishes of its scores: clipped, charged to a budget, then drawn once.

A results folder gets a folder `released`, which holds nothing but what may be published:

- `events.json`: what all releases from these scores compose with, and the releases themselves,
- `ledger.json`: the epsilon of them together,
- `<score>.csv`, `<score>-2.csv`, ...: a release each: position and noisy score (which position is
  which image or patient is not published), or statistics.

The budget file is for its owner alone: what was drawn, kept so that the same question gets the same
answer (`gradval.privacy.budget`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradval.federation.reports import ReportOptions, queries
from gradval.privacy.budget import Budget, digest
from gradval.privacy.events import (
    Events,
    Publication,
    PublicModel,
    Release,
    Unit,
    extended,
    read_events,
    write_events,
)
from gradval.privacy.ledger import compose
from gradval.privacy.release import Bounds, laplace_mechanism, release, release_event
from gradval.privacy.statistics import Publisher, publication_event, unit_values
from gradval.runtime.files import atomic_path, write_json
from gradval.scores.files import score_columns

BUDGET = "budget.jsonl"

FOLDER, EVENTS, LEDGER = "released", "events.json", "ledger.json"
# The accountant that a ledger's claim rests on.
ACCOUNTANTS = ("pld",)
MOST_DELTA = 1e-5
NO_BASIS = (
    "a release needs the events of the private training that it is composed with (--events "
    "events.json), or your word that the model was not trained on these images (--public-model): "
    "otherwise the scores tell of the images through the weights, and no epsilon bounds that"
)
NOT_PRIVATE = (
    "was trained without differential privacy: its weights, and so every score, tell of the images "
    "without bound; train it privately, or score with a model that was not trained on them"
)
PUBLIC = Events(events=(PublicModel(),))


@dataclass(frozen=True)
class Published:
    """A release that was made.

    Attributes:
        path: of its file.
        table: what it holds: position and value, or statistic, key and value.
        ledger: of all releases from these scores.
        again: whether it was drawn before, and cost nothing now.
    """

    path: Path
    table: pd.DataFrame
    ledger: dict[str, Any]
    again: bool


@dataclass(frozen=True)
class Site:
    """Where a site keeps what it publishes, and under which terms.

    Attributes:
        folder: a results folder; releases go into `released` in it.
        basis: what they compose with; see `basis_of`.
        budget: which they are charged to.
        delta: at which ledgers state epsilon; `None` for 1e-5, or less for many units.
    """

    folder: Path
    basis: Events
    budget: Budget
    delta: float | None = None

    @classmethod
    def of(
        cls,
        folder: str | Path,
        *,
        events: str | Path | None = None,
        public_model: bool = False,
        budget: str | Path | None = None,
        limit: float | None = None,
        delta: float | None = None,
    ) -> "Site":
        """A site from files.

        Args:
            folder: a results folder.
            events: `events.json` of the private training that the scores' model comes from.
            public_model: that the model was not trained, tuned or chosen with these images.
            budget: file of the budget, which several results folders of the same images share;
                `budget.jsonl` in the folder by default.
            limit: on the sum of epsilons of all draws; none by default.
            delta: see `Site`.

        Raises:
            ValueError: as `basis_of`, or the limit is not positive; one line.
        """
        folder = Path(folder)
        return cls(
            folder, basis_of(events, public_model), Budget(budget or folder / BUDGET, limit), delta
        )

    @property
    def released(self) -> Path:
        """The folder of what may be published."""
        return self.folder / FOLDER

    def executed(self) -> Events:
        """The basis, and all releases until now.

        Raises:
            ValueError: earlier releases have another basis.
        """
        path = self.released / EVENTS
        if not path.is_file():
            return self.basis
        found = read_events(path)
        if found.events[: len(self.basis.events)] != self.basis.events:
            raise ValueError(
                f"{path}: earlier releases of these scores compose with another training or "
                "model; give the same"
            )
        return found

    def ledger(self, executed: Events, units: int) -> dict[str, Any]:
        """The ledger of what was executed.

        Raises:
            ValueError: delta promises nothing for so many units.
        """
        delta = min(MOST_DELTA, 0.1 / units) if self.delta is None else self.delta
        return compose(executed, delta=delta, target_epsilon=None, accountants=ACCOUNTANTS)

    def ask(
        self,
        question: dict[str, Any],
        event: Release | Publication,
        units: int,
        draw: Callable[[], Any],
    ) -> tuple[Any, bool]:
        """The answer to a question, and whether it was there before.

        A draw is charged first and its event is written before it is made, so that no crash hides
        one.

        Raises:
            ValueError: nothing is charged or drawn: events do not go together, the budget is
                exceeded or damaged, or as `ledger`.
        """
        everything = extended(self.executed(), event)
        self.ledger(everything, units)
        drawn = False

        def record_and_draw() -> Any:
            nonlocal drawn
            drawn = True
            write_events(self.released / EVENTS, everything)
            return draw()

        epsilon = question["epsilon"]
        answer = self.budget.ask(question, epsilon, record_and_draw)
        if not _recorded(event, self.executed()):
            # It was drawn for another folder that shares the budget.
            write_events(self.released / EVENTS, everything)
        write_json(self.released / LEDGER, self.ledger(self.executed(), units))
        return answer, not drawn


def basis_of(events: str | Path | None, public_model: bool) -> Events:
    """What a release composes with: the events of a private training, or a public model.

    Raises:
        ValueError: neither is given, or both, or the training was not private; one line.
    """
    if (events is None) != public_model:
        raise ValueError(
            NO_BASIS if events is None else "give the events or public_model, not both"
        )
    if events is None:
        return PUBLIC
    found = read_events(events)
    if not found.private:
        raise ValueError(f"{events}: the model {NOT_PRIVATE}")
    return found


def publish(
    site: Site,
    table: pd.DataFrame,
    score: str,
    bounds: Bounds,
    epsilon: float,
    *,
    unit: Unit = "sample",
) -> Published:
    """Release one score of every sample or group, once.

    The same question (scores, bounds, epsilon, unit) gives the same draw again and costs nothing.

    Args:
        site: where, and under which terms.
        table: exact scores, as `gradval.scores.dataset.score_dataset` returns them.
        score: a raw score of the table; normalised ones depend on other samples.
        bounds: public, low < high.
        epsilon: > 0, of the released value of one unit.
        unit: "sample", or "group" for one value a group, the mean of its clipped scores.

    Raises:
        ValueError: no such score, a number is out of range, or the budget is exceeded; one line.
    """
    # Public, and refused before anything is charged.
    laplace_mechanism(1, bounds, epsilon)
    values = _unit_values(table, score, unit, bounds)
    event = release_event(score, bounds, epsilon, len(values), unit)
    question = {
        "score": score,
        "bounds": list(bounds),
        "epsilon": epsilon,
        "unit": unit,
        "data": digest(values.tobytes()),
    }
    name = _free_name(site, score)

    def draw() -> dict[str, Any]:
        return {"file": name, "values": release(values, bounds, epsilon).tolist()}

    answer, again = site.ask(question, event, len(values), draw)
    shown = pd.DataFrame({"position": np.arange(len(values)), score: answer["values"]})
    return _written(site, answer["file"], shown, len(values), again)


def publish_statistics(
    site: Site,
    table: pd.DataFrame,
    score: str,
    bounds: Bounds,
    epsilon: float,
    statistics: Sequence[str],
    *,
    unit: Unit = "sample",
) -> Published:
    """Publish statistics of one score, of which each sample or group may be any other.

    Far less noise than a release of every value; the number of units is public. Quantiles are the
    quartiles among 101 candidates, histograms have ten bins of equal width, counts are of values
    above the middle of the bounds.

    Args:
        site, table, score, bounds, unit: as in `publish`.
        epsilon: > 0, of all statistics together, shared evenly.
        statistics: of mean, variance, quantiles, histogram, count.

    Returns:
        What was published: statistic, key (such as `q0.5` or `bin3`), value, epsilon.

    Raises:
        ValueError: as `publish`, or a statistic is unknown.
    """
    values = _unit_values(table, score, unit, bounds)
    options = ReportOptions({score: bounds}, statistics, epsilon, unit=unit)  # type: ignore[arg-type]
    rows, all_again = [], True
    for query in queries(options, len(values)):
        publisher = Publisher(query)
        question = {"data": digest(values.tobytes()), **query.model_dump(mode="json")}
        draw = partial(publisher.draw, values)
        answer, again = site.ask(question, publication_event(query), len(values), draw)
        all_again = all_again and again
        rows += [
            {"statistic": query.statistic, "key": key, "value": value, "epsilon": query.epsilon}
            for key, value in answer.items()
        ]
    name = f"{score}-statistics-{_short(statistics, bounds, epsilon, unit)}.csv"
    return _written(site, name, pd.DataFrame(rows), len(values), all_again)


def _unit_values(
    table: pd.DataFrame, score: str, unit: Unit, bounds: Bounds
) -> NDArray[np.float64]:
    if score not in score_columns(table):
        raise ValueError(
            f"there is no score {score!r} to release; there are {', '.join(score_columns(table))}"
        )
    return unit_values(table[score].to_numpy(), table["group"].tolist(), unit, bounds)


def _recorded(event: Release | Publication, events: Events) -> bool:
    """Whether an event is among others, whatever libraries executed it."""
    unlike = {"libraries"}
    return any(
        isinstance(other, type(event))
        and other.model_dump(exclude=unlike) == event.model_dump(exclude=unlike)
        for other in events.events
    )


def _free_name(site: Site, score: str) -> str:
    """Name of the file of the next release of a score."""
    releases = [event for event in site.executed().events if isinstance(event, Release)]
    number = 1 + sum(event.score == score for event in releases)
    return f"{score}.csv" if number == 1 else f"{score}-{number}.csv"


def _short(*values: Any) -> str:
    return digest(repr(values).encode())[:8]


def _written(site: Site, name: str, table: pd.DataFrame, units: int, again: bool) -> Published:
    path = site.released / name
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)
    return Published(path, table, site.ledger(site.executed(), units), again)
