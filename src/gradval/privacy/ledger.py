"""The privacy ledger: what was executed, and the epsilon of it that anyone can recompute.

A ledger is a JSON document, composed from the events that led to a model or to released scores
(`gradval.privacy.events`). It repeats them and states, for each group of samples that were treated
alike, the epsilon of the events that concern it under each accountant. Which groups there are
follows from the events: everyone; or, if a phase trained on a selection, those kept and those
removed. What no epsilon covers is a field (`selection`, `randomness`) and a sentence in `notes`.
"""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from gradval.privacy.accountants import ACCOUNTANTS, NEIGHBOURING_RELATION, epsilon
from gradval.privacy.events import (
    MOST_EVENTS,
    Event,
    Events,
    PlainTraining,
    PrivateTraining,
    Publication,
    PublicModel,
    Randomness,
    Release,
    Selection,
    Unit,
)
from gradval.privacy.records import Record, read_record

# By which an epsilon may exceed the target: rounding, no more.
_TARGET_SLACK = 1e-9
NON_PRIVATE = (
    "Trained without differential privacy: nothing derived from this run is private, neither its "
    "weights nor its scores."
)
# The phase of a model whose training nobody describes, and what is then to be said.
UNKNOWN_PHASE = "unknown training"
UNKNOWN_TRAINING = (
    "The model was trained elsewhere, and how is not known: nothing derived from it is taken for "
    "private, neither its weights nor its scores."
)
RAW_SELECTION = (
    "Which samples were kept was decided from raw, non-private scores of the first phase. The "
    "stated epsilon therefore bounds what the weights reveal about a sample given that selection; "
    "the selection itself carries no differential privacy guarantee."
)
# Add or remove one, where number and positions of the samples are public, as they are once a list
# with one score a sample is published. dp-accounting calls it REPLACE_SPECIAL.
BLANKING_RELATION = (
    "replace one sample by a blank one, which has no gradient and any score; their number and "
    "positions are public"
)
RELEASED_SELECTION = (
    "Which samples were kept was decided from scores of the first phase that were released under "
    "differential privacy. The epsilon of `kept` holds for every sample and covers weights, the "
    "one released score that is listed and the selection together; that of `removed` holds for all "
    "outcomes in which the sample is removed. Other scores that were released from the same run "
    "are not in it. The noise of the release is not seeded."
)
RELEASED_SCORES = (
    "For whoever publishes the released scores: epsilon covers all of them together, and the "
    "weights and checkpoints of their run. A model that was pruned by one of them is not in it. No "
    "target was set for it. The noise of the releases is not seeded."
)
# Belongs wherever the epsilon of a run with seeded noise is shown.
SEEDED_NOTICE = (
    "Noise was seeded, so that the study can be repeated: the epsilon shown is what the same "
    "training promises with secret noise, and these models carry no guarantee."
)
# Belongs wherever accuracies or losses of private runs are shown.
EXACT_NOTICE = (
    "Losses and accuracies are exact: no epsilon covers those on training images, also of private "
    "runs, nor what those on test images tell of the test images."
)
PUBLIC_MODEL = (
    "Whoever released the scores stated that the model is public: that it was not trained, tuned "
    "or chosen with these samples. If it was, no epsilon holds. Epsilon covers all released scores "
    "together. No target was set for it. The noise of the releases is not seeded."
)
# The same two for units that are groups.
GROUP_BLANKING_RELATION = (
    "replace one group of samples by a blank one, which has no gradient and any score; the number "
    "and positions of the groups are public"
)
GROUP_NEIGHBOURING_RELATION = "add or remove one group of samples, such as all of a patient"
PUBLISHED_STATISTICS = (
    "For a site that publishes statistics of its scores: epsilon covers all that are listed, and "
    "the weights and checkpoints of the run that made the scores. No target was set for it. The "
    "noise of what is published is not seeded."
)
FIXED_SEED = (
    "The noise was drawn from a seeded generator, so that the study can be reproduced. It gives no "
    "guarantee once the seed is known, or once there are two models of related data, in whose "
    "difference such noise may cancel: draw secret noise (privacy.secret_noise) for a model that "
    "is to be released."
)
SECRET_NOISE = (
    "Noise, sampling and augmentation were drawn from a key of 256 bits of the operating system's "
    "entropy (SHAKE-128), which was written to the resume file alone. Whoever has that file can "
    "undo the noise: it must be deleted."
)
# What the choice of the kept samples was made from; random: from nothing.
SELECTIONS: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "random": (),
    "raw": (RAW_SELECTION,),
    "released": (RELEASED_SELECTION,),
}


def _known_accountant(name: str) -> str:
    if name not in ACCOUNTANTS:
        raise ValueError(f"unknown accountant {name!r}; known are {', '.join(ACCOUNTANTS)}")
    return name


Accountant = Annotated[str, AfterValidator(_known_accountant)]
Position = Annotated[int, Field(strict=True, ge=0, lt=MOST_EVENTS)]
Epsilon = Annotated[float, Field(strict=True, ge=0)]
Delta = Annotated[float, Field(strict=True, gt=0, lt=1)]
Target = Annotated[float, Field(strict=True, gt=0)]
Sentence = Annotated[str, Field(max_length=2000)]
Notes = Annotated[tuple[Sentence, ...], Field(max_length=50)]


class Group(Record):
    """Samples that were treated alike.

    Attributes:
        name: `everyone`, `kept` or `removed`.
        events: positions of those that concern them.
        epsilon: accountant -> epsilon of their composition.
    """

    name: Literal["everyone", "kept", "removed"]
    events: tuple[Position, ...] = Field(max_length=MOST_EVENTS)
    epsilon: dict[Accountant, Epsilon]


class PrivateLedger(Record):
    """Form of a ledger of private events.

    Attributes:
        neighbouring_relation: that all events have a guarantee under.
        delta: at which every epsilon is stated.
        target_epsilon: what the noise was calibrated to; `None` for released scores.
        accountant: that the claim rests on.
        randomness: where noise and sampling of the trainings came from.
        selection: what the kept samples were chosen by.
        events: all, in order of execution.
        groups: see `Group`.
        notes: what no epsilon covers, in sentences.
        versions: of the libraries that composed.
    """

    private: Literal[True]
    neighbouring_relation: Sentence
    delta: Delta
    target_epsilon: Target | None
    accountant: Accountant
    randomness: Randomness
    selection: Selection
    events: Annotated[tuple[Any, ...], Field(max_length=MOST_EVENTS)]
    groups: Annotated[tuple[Group, ...], Field(min_length=1, max_length=2)]
    notes: Notes
    versions: dict[str, str]


class NonPrivateLedger(Record):
    """Form of the ledger of a run without differential privacy."""

    private: Literal[False]
    notes: Notes


def compose(
    events: Events, *, delta: float, target_epsilon: float | None, accountants: Sequence[str]
) -> dict[str, Any]:
    """The ledger of what was executed.

    Args:
        events: of a model, or of released scores.
        delta: at which every epsilon is stated.
        target_epsilon: that the trainings were planned for; `None` for those without privacy. It
            does not hold for released scores, which come on top.
        accountants: the first is the one that the claim rests on.

    Raises:
        ValueError: the events are not private, but there is a target; or they exceed it.
    """
    if not events.private:
        if target_epsilon is not None:
            raise ValueError(
                f"the target is epsilon {target_epsilon:g}, but a phase was not private: train it "
                "again"
            )
        unknown = any(event.phase == UNKNOWN_PHASE for event in events.events)
        return {"private": False, "notes": [UNKNOWN_TRAINING if unknown else NON_PRIVATE]}
    executed = events.events
    ledger = {
        "private": True,
        "neighbouring_relation": _neighbouring_relation(executed),
        "delta": delta,
        "target_epsilon": None if _publishes(executed) else target_epsilon,
        "accountant": accountants[0],
        "randomness": _randomness(executed),
        "selection": _selection(executed),
        **events.model_dump(mode="json"),
        "groups": [
            {
                "name": name,
                "events": list(positions),
                "epsilon": {
                    accountant: composed_epsilon(executed, positions, delta, accountant)
                    for accountant in accountants
                },
            }
            for name, positions in groups_of(executed).items()
        ],
        "notes": _notes(executed),
        "versions": {name: version(name) for name in ("dp-accounting", "opacus")},
    }
    check(ledger)
    return ledger


def groups_of(events: Sequence[Event]) -> dict[str, range]:
    """Groups of samples by name, and which events concern them.

    What comes after a selection concerns those who were kept alone.
    """
    everything = range(len(events))
    for i, event in enumerate(events):
        if isinstance(event, PrivateTraining) and event.selection != "none":
            return {"kept": everything, "removed": everything[:i]}
    return {"everyone": everything}


def check(ledger: Any, where: str = "ledger") -> None:
    """Check a ledger's form, and that it hides nothing of what it lists.

    Groups, neighbouring relation, randomness, selection and notes are those that follow from the
    events; delta promises something; no group exceeds the target under the claim's accountant.

    Raises:
        ValueError: it does not conform; one line that names the key.
    """
    if isinstance(ledger, Mapping) and ledger.get("private") is False:
        plain = read_record(NonPrivateLedger, ledger, where)
        owed = UNKNOWN_TRAINING if UNKNOWN_TRAINING in plain.notes else NON_PRIVATE
        return _check_notes(plain.notes, [owed], where)
    stated = read_record(PrivateLedger, ledger, where)
    found = read_record(Events, {"events": stated.events}, where)
    events = found.events
    if not found.private:
        raise ValueError(f"{where}: $.private: true, but not every event is private")
    for key, derived in (
        ("neighbouring_relation", _neighbouring_relation(events)),
        ("randomness", _randomness(events)),
        ("selection", _selection(events)),
    ):
        if getattr(stated, key) != derived:
            raise ValueError(f"{where}: $.{key}: that of these events is {derived!r}")
    _check_groups(stated, groups_of(events), where)
    samples = max((e.samples or 0 for e in events if not isinstance(e, PublicModel)), default=0)
    unit = _unit(events)
    if stated.delta * samples >= 1:
        raise ValueError(
            f"{where}: $.delta: {stated.delta} promises nothing for {samples} {unit}s, it must be "
            "below one over their number"
        )
    _check_notes(stated.notes, _notes(events), where)


def _check_groups(ledger: PrivateLedger, expected: Mapping[str, range], where: str) -> None:
    names = [group.name for group in ledger.groups]
    if names != list(expected):
        raise ValueError(
            f"{where}: $.groups: {', '.join(names)}, but those of these events are "
            f"{', '.join(expected)}"
        )
    for i, group in enumerate(ledger.groups):
        here, positions = f"{where}: $.groups[{i}]", list(expected[group.name])
        if list(group.events) != positions:
            raise ValueError(
                f"{here}.events: {list(group.events)}, but what concerns {group.name} is "
                f"{positions}"
            )
        if ledger.accountant not in group.epsilon:
            raise ValueError(f"{here}.epsilon: {ledger.accountant}, the claim's, is missing")
        stated, target = group.epsilon[ledger.accountant], ledger.target_epsilon
        if target is not None and stated > target * (1 + _TARGET_SLACK):
            raise ValueError(
                f"{here}.epsilon.{ledger.accountant}: {stated} exceeds target_epsilon, which is "
                f"{target}"
            )


def _check_notes(notes: Iterable[str], owed: Iterable[str], where: str) -> None:
    for note in owed:
        if note not in notes:
            raise ValueError(f"{where}: $.notes: without the sentence {note!r}")


def _notes(events: Sequence[Event]) -> list[str]:
    """The sentences that a ledger of private events owes to its reader."""
    if isinstance(events[0], PublicModel):
        return [PUBLIC_MODEL]
    released = [RELEASED_SCORES] if isinstance(events[-1], Release) else []
    if isinstance(events[-1], Publication):
        released = [PUBLISHED_STATISTICS]
    noise = SECRET_NOISE if _randomness(events) == "secret" else FIXED_SEED
    return [*SELECTIONS[_selection(events)], *released, noise]


def _trainings(events: Sequence[Event]) -> list[PrivateTraining]:
    return [event for event in events if isinstance(event, PrivateTraining)]


def _randomness(events: Sequence[Event]) -> Randomness:
    # The noise of releases is the operating system's.
    return next((event.randomness for event in _trainings(events)), "secret")


def _selection(events: Sequence[Event]) -> Selection:
    return next((e.selection for e in _trainings(events) if e.selection != "none"), "none")


def _neighbouring_relation(events: Sequence[Event]) -> str:
    releases = [
        event
        for event in events
        if isinstance(event, Release)
        or (isinstance(event, Publication) and event.relation == "replace")
    ]
    by_group = _unit(events) == "group"
    if not releases:
        return GROUP_NEIGHBOURING_RELATION if by_group else NEIGHBOURING_RELATION
    return GROUP_BLANKING_RELATION if by_group else BLANKING_RELATION


def _unit(events: Sequence[Event]) -> Unit:
    # One file has one unit.
    return next((e.unit for e in events if not isinstance(e, PublicModel)), "sample")


def _publishes(events: Sequence[Event]) -> bool:
    return isinstance(events[-1], Release | Publication)


def composed_epsilon(
    events: Sequence[Event], positions: Iterable[int], delta: float, accountant: str
) -> float:
    """Epsilon of those events that stand at some positions, composed.

    Args:
        events: of a run.
        positions: of what concerns a group of samples.
        delta: at which it is stated.
        accountant: a key of `gradval.privacy.accountants.ACCOUNTANTS`.
    """
    concerned = [events[i] for i in positions]
    counted = [e.accounted() for e in concerned if not isinstance(e, (PlainTraining, PublicModel))]
    return epsilon(counted, delta, accountant)
