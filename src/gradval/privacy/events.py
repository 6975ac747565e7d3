"""What was executed: the events that led to a model or to released scores, in their order.

Every producer of a model writes them beside its weights (`events.json`), those of earlier phases
included, so that one file says all. What they cost is no part of them: `gradval.privacy.ledger`
composes and states it. What an event does to a sample is bounded by the event's own sensitivity:
the clipping norm of a training, the width of the bounds of a release.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from gradval.privacy.accountants import Laplace, Pure, SampledGaussian
from gradval.privacy.plan import PhasePlan
from gradval.privacy.records import Record, read_record
from gradval.runtime.files import read_json, write_json

# Wide enough for any training, narrow enough that no file makes an accountant run out of memory.
MOST_EVENTS, MOST_STEPS, MOST_SAMPLES = 100, 10**7, 10**9
LEAST_NOISE, MOST_NOISE, MOST_NORM = 0.05, 1e6, 1e9

Name = Annotated[str, Field(min_length=1, max_length=100)]
Steps = Annotated[int, Field(strict=True, ge=0, le=MOST_STEPS)]
Samples = Annotated[int, Field(strict=True, ge=1, le=MOST_SAMPLES)]
Rate = Annotated[float, Field(strict=True, gt=0, le=1)]
Noise = Annotated[float, Field(strict=True, ge=LEAST_NOISE, le=MOST_NOISE)]
Norm = Annotated[float, Field(strict=True, gt=0, le=MOST_NORM)]
Bound = Annotated[float, Field(strict=True, ge=-MOST_NORM, le=MOST_NORM)]
Unit = Literal["sample", "group"]
Libraries = Annotated[dict[Name, Name], Field(max_length=20)]
Randomness = Literal["seeded", "secret"]
# What the samples of a phase were chosen by: not at all; at random; by raw scores of the phase
# before it; by scores that were released from it.
Selection = Literal["none", "random", "raw", "released"]


class PrivateTraining(Record):
    """Steps of DP-SGD: Poisson sampling, clipping, Gaussian noise on the sum.

    Attributes:
        phase: its name, for people.
        unit: whose contribution to a step is clipped to `clipping_norm`.
        relation: neighbouring data sets; `add_remove` one unit.
        samples: size N of the set that was sampled from.
        sampling_rate: in (0, 1].
        noise_multiplier: standard deviation of the noise / clipping norm.
        steps: those that were executed.
        clipping_norm: L2 sensitivity of a step.
        randomness: where sampling and noise came from.
        selection: what the samples were chosen by.
        libraries: that executed it -> version.
    """

    mechanism: Literal["gaussian"] = "gaussian"
    phase: Name
    unit: Unit = "sample"
    relation: Literal["add_remove"] = "add_remove"
    samples: Samples
    sampling: Literal["poisson"] = "poisson"
    sampling_rate: Rate
    noise_multiplier: Noise
    steps: Steps
    clipping_norm: Norm
    randomness: Randomness
    selection: Selection = "none"
    libraries: Libraries = Field(default_factory=dict)

    def accounted(self) -> SampledGaussian:
        """What an accountant counts."""
        return SampledGaussian(self.sampling_rate, self.noise_multiplier, self.steps)


class PlainTraining(Record):
    """Steps of SGD without privacy; attributes as of `PrivateTraining`."""

    mechanism: Literal["none"] = "none"
    phase: Name
    unit: Unit = "sample"
    samples: Samples
    sampling: Literal["poisson"] = "poisson"
    sampling_rate: Rate
    steps: Steps
    libraries: Libraries = Field(default_factory=dict)


class PublicModel(Record):
    """A model that is stated to have learnt nothing from the samples: what it reveals is free.

    Attributes:
        phase: its name, for people.
    """

    mechanism: Literal["public"] = "public"
    phase: Name = "public model"


class Release(Record):
    """One score of every sample or group, clipped to public bounds, with Laplace noise.

    Attributes:
        phase: its name, for people.
        score: what was released.
        unit: whose score it is; of a group, such as a patient, the mean of its clipped scores.
        relation: neighbouring data sets; `blank` replaces one unit by one without gradient and with
            any score, number and positions being public.
        samples: how many scores were released.
        noise_multiplier: scale of the noise / width of the bounds, 1 / epsilon.
        steps: number of releases.
        bounds: low < high, whose distance is the sensitivity.
        libraries: that executed it -> version.
    """

    mechanism: Literal["laplace"] = "laplace"
    phase: Name
    score: Name
    unit: Unit = "sample"
    relation: Literal["blank"] = "blank"
    samples: Samples
    noise_multiplier: Noise
    steps: Steps = 1
    bounds: tuple[Bound, Bound]
    libraries: Libraries = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_bounds(self) -> "Release":
        if not self.bounds[0] < self.bounds[1]:
            raise ValueError(f"bounds must be low < high, got {list(self.bounds)}")
        return self

    def accounted(self) -> Laplace:
        """What an accountant counts."""
        return Laplace(self.noise_multiplier, self.steps)


class Publication(Record):
    """A statistic of the scores of all samples of one site (`gradval.privacy.statistics`).

    Attributes:
        phase: its name, for people.
        score: of which score.
        statistic: such as mean or histogram.
        unit: whose contribution it hides.
        relation: neighbouring data sets; `replace` one sample by any other, their number being
            public, or `add_remove` one.
        samples: their number if it is public.
        epsilon: pure.
        steps: number of draws.
        libraries: that executed it -> version.
    """

    mechanism: Literal["pure"] = "pure"
    phase: Name
    score: Name
    statistic: Name
    unit: Unit = "sample"
    relation: Literal["replace", "add_remove"]
    samples: Samples | None = None
    epsilon: Annotated[float, Field(strict=True, gt=0, le=1e4)]
    steps: Steps = 1
    libraries: Libraries = Field(default_factory=dict)

    def accounted(self) -> Pure:
        """What an accountant counts."""
        return Pure(self.epsilon, self.steps)


Training = PrivateTraining | PlainTraining
Event = PrivateTraining | PlainTraining | PublicModel | Release | Publication


class Events(Record):
    """The events that led to a model or to released scores, the first one first."""

    events: tuple[Annotated[Event, Field(discriminator="mechanism")], ...] = Field(
        min_length=1, max_length=MOST_EVENTS
    )

    @model_validator(mode="after")
    def _check(self) -> "Events":
        _check_order(self.events)
        return self

    @property
    def private(self) -> bool:
        """Whether every event is differentially private."""
        return not any(isinstance(event, PlainTraining) for event in self.events)

    @property
    def noise_scale(self) -> float:
        """Sigma of PLIS: standard deviation of the noise of the last training; 1 without any."""
        trained = [e for e in self.events if isinstance(e, PrivateTraining | PlainTraining)]
        if not trained or trained[-1].mechanism == "none":
            return 1.0
        return trained[-1].noise_multiplier * trained[-1].clipping_norm


def _check_order(events: tuple[Event, ...]) -> None:
    """What one file may hold: a model first; one unit, source of randomness and selection."""
    if isinstance(events[0], Release | Publication):
        raise ValueError("$.events[0]: a release, but no training or public model is before it")
    _check_public(events)
    _check_units(events)
    public = [event.relation != "add_remove" for event in events if isinstance(event, Publication)]
    public += [True for event in events if isinstance(event, Release)]
    if len(set(public)) > 1:
        raise ValueError(
            "$.events: some releases take the number of samples for public and others do not, so "
            "that no neighbouring relation is common to them"
        )
    trained = [(i, e) for i, e in enumerate(events) if isinstance(e, PrivateTraining)]
    for i, event in trained:
        before = trained[0][1].randomness
        if event.randomness != before:
            raise ValueError(
                f"$.events[{i}].randomness: {event.randomness}, but {before} before: phases of "
                "different promises are not composed, train the first phase again"
            )
    chosen = [(i, e.selection) for i, e in trained if e.selection != "none"]
    for i, selection in chosen[:1]:
        if i == 0:
            raise ValueError(f"$.events[0].selection: {selection}, but no phase is before it")
        if selection == "released" and not any(isinstance(e, Release) for e in events[:i]):
            raise ValueError(f"$.events[{i}].selection: released, but no release is before it")
    for i, _ in chosen[1:]:
        raise ValueError(f"$.events[{i}].selection: events[{chosen[0][0]}] has one already")


def _check_public(events: tuple[Event, ...]) -> None:
    for i, event in enumerate(events):
        if i and isinstance(event, PublicModel):
            raise ValueError(f"$.events[{i}]: a public model, but it can only be the first")
        if isinstance(events[0], PublicModel) and isinstance(
            event, (PrivateTraining, PlainTraining)
        ):
            raise ValueError(f"$.events[{i}]: a training, after which the model is not public")


def _check_units(events: tuple[Event, ...]) -> None:
    units = {i: event.unit for i, event in enumerate(events) if not isinstance(event, PublicModel)}
    for i, unit in units.items():
        if unit != (first := next(iter(units.values()))):
            raise ValueError(
                f"$.events[{i}].unit: {unit}, but {first} before: what hides a {first} does not "
                f"compose with what hides a {unit}"
            )


def extended(before: Events | None, *events: Event) -> Events:
    """What was executed before, if anything, and what came after it.

    Raises:
        ValueError: they do not go together; one line that names the key.
    """
    everything = (*(before.events if before is not None else ()), *events)
    return read_record(Events, {"events": everything}, "events")


def training_event(
    phase: PhasePlan,
    *,
    name: str,
    clipping_norm: float,
    secret: bool = False,
    selection: Selection = "none",
) -> Training:
    """The event of a phase of training that is executed as planned.

    Args:
        phase: the plan.
        name: of the phase, for people.
        clipping_norm: L2 norm to which each sample's gradient is clipped.
        secret: whether noise and sampling come from the operating system's entropy.
        selection: what the samples were chosen by.

    Raises:
        ValueError: a number is out of range; one line that names it.
    """
    known = {
        "phase": name,
        "samples": phase.samples,
        "sampling_rate": phase.sampling_rate,
        "steps": phase.steps,
    }
    torch = {"torch": version("torch")}
    if phase.noise_multiplier is None:
        return read_record(PlainTraining, known | {"libraries": torch}, f"event of phase {name}")
    return read_record(
        PrivateTraining,
        {
            **known,
            "noise_multiplier": phase.noise_multiplier,
            "clipping_norm": clipping_norm,
            "randomness": "secret" if secret else "seeded",
            "selection": selection,
            "libraries": torch | {"opacus": version("opacus")},
        },
        f"event of phase {name}",
    )


def write_events(path: str | Path, events: Events) -> None:
    """Write events as JSON, atomically."""
    write_json(path, events.model_dump(mode="json"))


def read_events(path: str | Path) -> Events:
    """Read what `write_events` wrote, or who else writes such files.

    Raises:
        ValueError: they do not conform; one line that names file and key.
        OSError: the file cannot be read.
    """
    return read_record(Events, read_json(path), str(path))
