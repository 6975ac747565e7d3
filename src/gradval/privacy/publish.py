"""What a site publishes of its scores: clipped, drawn once, recorded before it is drawn.

A results folder gets a folder `released`, which holds nothing but what may be published:

- `events.json`: what all releases from these scores compose with, and the releases themselves,
- `ledger.json`: the epsilon of them together,
- `<score>.csv`, `<score>-2.csv`, ...: a release each: position and noisy score. Which position is
  which image or patient is not published.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gradval.privacy.events import (
    Events,
    PublicModel,
    Release,
    Unit,
    extended,
    read_events,
    write_events,
)
from gradval.privacy.ledger import compose
from gradval.privacy.release import Bounds, laplace_mechanism, release, release_event
from gradval.runtime.files import atomic_path, write_json

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
        values: `(units,)` noisy values in the order of the positions.
        ledger: of all releases from these scores.
        again: whether it was made before, and is only shown again.
    """

    path: Path
    values: NDArray[np.float64]
    ledger: dict[str, Any]
    again: bool


def basis(events: str | Path | None, public_model: bool) -> Events:
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


def values_of_units(
    scores: ArrayLike, groups: Sequence[str], unit: Unit, bounds: Bounds
) -> NDArray[np.float64]:
    """One value a unit, within the bounds: the clipped scores, or their mean within each group.

    Args:
        scores: `(N,)`.
        groups: of each sample.
        unit: "sample" or "group".
        bounds: low < high.

    Returns:
        `(units,)` in the order of the samples, or of the names of the groups.
    """
    clipped = np.clip(np.asarray(scores, dtype=np.float64), *bounds)
    if unit == "sample":
        return clipped
    _, members, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    # Rounding must not leave the bounds.
    means: NDArray[np.float64] = np.clip(np.bincount(members, weights=clipped) / counts, *bounds)
    return means


def publish(
    folder: str | Path,
    table: pd.DataFrame,
    score: str,
    bounds: Bounds,
    epsilon: float,
    *,
    events: str | Path | None = None,
    public_model: bool = False,
    unit: Unit = "sample",
    delta: float | None = None,
) -> Published:
    """Release one score of every sample or group, once.

    The event is written before anything is drawn, so that no crash hides a draw. The same question
    (score, bounds, epsilon, unit) gives the same draw again and costs nothing.

    Args:
        folder: a results folder; the release goes into `released` in it.
        table: exact scores, as `gradval.scores.dataset.score_dataset` returns them.
        score: a raw score of the table; normalised ones depend on other samples.
        bounds: public, low < high.
        epsilon: > 0, of the released value of one unit.
        events: `events.json` of the private training that the scores' model comes from.
        public_model: that the model was not trained, tuned or chosen with these images.
        unit: "sample", or "group" for one value a group.
        delta: at which the ledger states epsilon; by default 1e-5, or less for many units.

    Raises:
        ValueError: there is neither a private training nor a public model, another basis than that
            of earlier releases, no such score, or a number is out of range; one line.
    """
    from gradval.scores.dataset import score_columns

    if score not in score_columns(table):
        raise ValueError(
            f"there is no score {score!r} to release; there are {', '.join(score_columns(table))}"
        )
    target = Path(folder) / FOLDER
    before = _before(target, basis(events, public_model))
    # Public, and refused before anything is recorded.
    laplace_mechanism(1, bounds, epsilon)
    values = values_of_units(table[score].to_numpy(), table["group"].tolist(), unit, bounds)
    event = release_event(score, bounds, epsilon, len(values), unit)
    delta = min(MOST_DELTA, 0.1 / len(values)) if delta is None else delta
    releases = [e for e in before.events if isinstance(e, Release)]
    for made in (r for r in releases if _same(r, event)):
        path = _path(target, releases, made)
        if path.is_file():
            found = pd.read_csv(path)[score].to_numpy(np.float64)
            return Published(path, found, _ledger(before, delta), again=True)
    everything = extended(before, event)
    ledger = _ledger(everything, delta)
    write_events(target / EVENTS, everything)
    path = _path(target, [*releases, event], event, last=True)
    drawn = release(values, bounds, epsilon)
    with atomic_path(path) as temporary:
        pd.DataFrame({"position": np.arange(len(drawn)), score: drawn}).to_csv(
            temporary, index=False
        )
    write_json(target / LEDGER, ledger)
    return Published(path, drawn, ledger, again=False)


def _before(target: Path, given: Events) -> Events:
    """The events of earlier releases from these scores, which must have the same basis."""
    if not (target / EVENTS).is_file():
        return given
    found = read_events(target / EVENTS)
    earlier = [event for event in found.events if not isinstance(event, Release)]
    if earlier != [event for event in given.events if not isinstance(event, Release)]:
        raise ValueError(
            f"{target / EVENTS}: earlier releases of these scores compose with another training or "
            "model; give the same"
        )
    return found


def _ledger(events: Events, delta: float) -> dict[str, Any]:
    return compose(events, delta=delta, target_epsilon=None, accountants=ACCOUNTANTS)


def _same(a: Release, b: Release) -> bool:
    return a.model_dump(exclude={"libraries"}) == b.model_dump(exclude={"libraries"})


def _path(target: Path, releases: Sequence[Release], made: Release, last: bool = False) -> Path:
    """File of a release: numbered among those of the same score."""
    same = [r for r in releases if r.score == made.score]
    number = len(same) if last else 1 + next(i for i, r in enumerate(same) if r is made)
    return target / (f"{made.score}.csv" if number == 1 else f"{made.score}-{number}.csv")
