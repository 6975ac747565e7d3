"""The privacy ledger: what a training run executed, and the epsilon that anyone can recompute.

A ledger is a JSON document, checked against `ledger.schema.json`. It lists every executed event
and, for each group of people who were treated differently (everyone; or those kept and those
removed by pruning), which events concern them and the epsilon of their composition under each
accountant. What no epsilon covers is a field (`selection`, `randomness`) and a sentence in
`notes`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema

from gradval.privacy.accountants import (
    ACCOUNTANTS,
    NEIGHBOURING_RELATION,
    Event,
    Laplace,
    SampledGaussian,
    epsilon,
)
from gradval.runtime.files import read_json

RELATIVE_TOLERANCE = 1e-3
# By which an epsilon may exceed the target: rounding, no more; with other libraries a little more.
_TARGET_SLACK, _RECOMPUTED_SLACK = 1e-9, 2e-4
NON_PRIVATE = (
    "Trained without differential privacy: nothing derived from this run is private, neither its "
    "weights nor its scores."
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
FIXED_SEED = (
    "The noise was drawn from a seeded generator, so that the study can be reproduced. Publishing "
    "the seed voids the guarantee: draw fresh noise (privacy.secret_noise) for a model that is to "
    "be released."
)
SECRET_NOISE = (
    "Noise, sampling and augmentation were drawn from the operating system's entropy through "
    "generators whose state was written to the resume file alone. Whoever has that file can undo "
    "the noise: it must be deleted. The generators are not cryptographic."
)
# What the choice of the kept samples was made from; random: from nothing.
SELECTIONS: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "random": (),
    "raw": (RAW_SELECTION,),
    "released": (RELEASED_SELECTION,),
}


def event_record(
    event: SampledGaussian, *, phase: str, clipping_norm: float, samples: int
) -> dict[str, Any]:
    """Ledger entry of one executed phase of DP-SGD.

    Args:
        event: the mechanism as executed.
        phase: its name, for people.
        clipping_norm: L2 norm to which each sample's gradient was clipped.
        samples: size of the set that was sampled from.
    """
    return {
        "phase": phase,
        "mechanism": "gaussian",
        "sampling": "poisson",
        **event.to_dict(),
        "clipping_norm": clipping_norm,
        "samples": samples,
    }


def private_ledger(
    events: Sequence[Mapping[str, Any]],
    groups: Mapping[str, Sequence[int]],
    *,
    delta: float,
    target_epsilon: float | None,
    accountants: Sequence[str],
    selection: str = "none",
    secret_noise: bool = False,
) -> dict[str, Any]:
    """Ledger of a private run, or of scores that were released from one.

    Args:
        events: records from `event_record` and `release.release_record`, in order of execution.
        groups: name of a group of samples -> positions in `events` of what concerns it.
        delta: at which every epsilon is stated.
        target_epsilon: what the noise was calibrated to; `None` for released scores.
        accountants: the first is the one that the claim rests on.
        selection: a key of `SELECTIONS`, what the choice of the kept samples was made from.
        secret_noise: whether the run's randomness was drawn from the operating system's entropy,
            rather than from the seed.
    """
    composed = [
        {
            "name": name,
            "events": list(positions),
            "epsilon": {
                accountant: epsilon([_event(events[i]) for i in positions], delta, accountant)
                for accountant in accountants
            },
        }
        for name, positions in groups.items()
    ]
    libraries = ["dp-accounting", "opacus", "torch"]
    libraries += ["opendp"] if _releases_scores(events) else []
    ledger = {
        "private": True,
        "neighbouring_relation": _neighbouring_relation(events),
        "delta": delta,
        "target_epsilon": target_epsilon,
        "accountant": accountants[0],
        "randomness": randomness(secret_noise),
        "selection": selection,
        "events": [dict(event) for event in events],
        "groups": composed,
        "versions": {name: version(name) for name in libraries},
    }
    ledger["notes"] = _notes(ledger)
    check(ledger)
    return ledger


def randomness(secret_noise: bool) -> str:
    """How a ledger calls where the noise of DP-SGD came from."""
    return "secret" if secret_noise else "seeded"


def _notes(ledger: Mapping[str, Any]) -> list[str]:
    """The sentences that a ledger owes to its reader."""
    if not ledger["private"]:
        return [NON_PRIVATE]
    released = () if ledger["target_epsilon"] is not None else (RELEASED_SCORES,)
    noise = SECRET_NOISE if ledger["randomness"] == "secret" else FIXED_SEED
    return [*SELECTIONS[ledger["selection"]], *released, noise]


def non_private_ledger() -> dict[str, Any]:
    """Ledger of a run without differential privacy."""
    ledger = {"private": False}
    return ledger | {"notes": _notes(ledger)}


def check(ledger: Any, where: str = "ledger") -> None:
    """Check a ledger against its schema, and that it hides nothing of what it lists.

    Every event counts in some group, once, and all of them in one; the neighbouring relation is
    that of the mechanisms; delta promises something; no group exceeds the target under the claim's
    accountant; a selection is named, and the notes that it and the randomness call for are there.

    Raises:
        ValueError: it does not conform; one line that names the key.
    """
    error = jsonschema.exceptions.best_match(_validator().iter_errors(ledger))
    if error is not None:
        raise ValueError(f"{where}: {error.json_path}: {error.message}")
    if ledger["private"]:
        for i, group in enumerate(ledger["groups"]):
            _check_group(ledger, group, f"{where}: $.groups[{i}]")
        _check_events(ledger, where)
        _check_statements(ledger, where)
    for note in _notes(ledger):
        if note not in ledger["notes"]:
            raise ValueError(f"{where}: $.notes: without the sentence {note!r}")


def _check_group(ledger: Mapping[str, Any], group: Mapping[str, Any], here: str) -> None:
    count, accountant = len(ledger["events"]), ledger["accountant"]
    if any(position >= count for position in group["events"]):
        raise ValueError(f"{here}.events: there are only {count} events")
    if accountant not in group["epsilon"]:
        raise ValueError(f"{here}.epsilon: {accountant}, the claim's, is missing")
    stated, target = group["epsilon"][accountant], ledger["target_epsilon"]
    # NaN is not below the target either.
    if target is not None and not stated <= target * (1 + _TARGET_SLACK):
        raise ValueError(
            f"{here}.epsilon.{accountant}: {stated} exceeds target_epsilon, which is {target}"
        )


def _check_events(ledger: Mapping[str, Any], where: str) -> None:
    everything = set(range(len(ledger["events"])))
    held = [set(group["events"]) for group in ledger["groups"]]
    unheld = everything.difference(*held)
    if unheld:
        raise ValueError(f"{where}: $.events[{min(unheld)}]: in no group, so no epsilon covers it")
    if everything not in held:
        raise ValueError(
            f"{where}: $.groups: one of them must hold all {len(everything)} events, or no epsilon "
            "covers the whole run"
        )
    relation = _neighbouring_relation(ledger["events"])
    if ledger["neighbouring_relation"] != relation:
        raise ValueError(
            f"{where}: $.neighbouring_relation: that of these mechanisms is {relation!r}"
        )


def _check_statements(ledger: Mapping[str, Any], where: str) -> None:
    samples = max(event["samples"] for event in ledger["events"])
    if ledger["delta"] * samples >= 1:
        raise ValueError(
            f"{where}: $.delta: {ledger['delta']} promises nothing for {samples} samples, it must "
            "be below one over their number"
        )
    selection = ledger["selection"]
    if (selection == "none") != (len(ledger["groups"]) == 1):
        raise ValueError(
            f"{where}: $.selection: {selection}, but there are {len(ledger['groups'])} groups"
        )
    if selection == "released" and not _releases_scores(ledger["events"]):
        raise ValueError(f"{where}: $.selection: released, but no event is a release")


def _neighbouring_relation(events: Sequence[Mapping[str, Any]]) -> str:
    return BLANKING_RELATION if _releases_scores(events) else NEIGHBOURING_RELATION


def _releases_scores(events: Sequence[Mapping[str, Any]]) -> bool:
    return any(event["mechanism"] == "laplace" for event in events)


@dataclass(frozen=True)
class Recomputed:
    """One epsilon of a ledger beside the same from its events.

    Attributes:
        group: name of the group of samples that it holds for.
        accountant: a key of `gradval.privacy.accountants.ACCOUNTANTS`.
        stated: what the ledger says; `None` if it does not use this accountant.
        recomputed: from the events.
        target: that the claim's accountant must not exceed; `None` for the others.
    """

    group: str
    accountant: str
    stated: float | None
    recomputed: float
    target: float | None

    @property
    def agrees(self) -> bool:
        """Whether what is stated, if anything, is what is recomputed, to 0.1%."""
        return self.stated is None or math.isclose(
            self.stated, self.recomputed, rel_tol=RELATIVE_TOLERANCE
        )

    @property
    def meets_target(self) -> bool:
        """Whether what is recomputed is not above the target."""
        return self.target is None or self.recomputed <= self.target * (1 + _RECOMPUTED_SLACK)


def recompute(path: str | Path) -> list[Recomputed]:
    """Recompute the epsilons of a ledger file under every accountant.

    Returns:
        One entry for each group and accountant; none for a run without privacy.

    Raises:
        ValueError: the file is not a ledger.
    """
    ledger = read_json(path)
    check(ledger, str(path))
    return [
        Recomputed(
            group["name"],
            accountant,
            group["epsilon"].get(accountant),
            epsilon(
                [_event(ledger["events"][i]) for i in group["events"]], ledger["delta"], accountant
            ),
            ledger["target_epsilon"] if accountant == ledger["accountant"] else None,
        )
        for group in ledger.get("groups", ())
        for accountant in ACCOUNTANTS
    ]


def spent_epsilon(ledger: Mapping[str, Any]) -> float | None:
    """The largest epsilon of any group under the ledger's accountant; `None` without privacy."""
    if not ledger["private"]:
        return None
    return max(float(group["epsilon"][ledger["accountant"]]) for group in ledger["groups"])


def noise_scale(ledger: Mapping[str, Any]) -> float:
    """Sigma of PLIS: standard deviation of the noise of the last phase; 1 without privacy."""
    if not ledger["private"]:
        return 1.0
    last = ledger["events"][-1]
    return float(last["noise_multiplier"] * last["clipping_norm"])


def _event(record: Mapping[str, Any]) -> Event:
    if record["mechanism"] == "laplace":
        return Laplace(record["noise_multiplier"], record["steps"])
    return SampledGaussian(record["sampling_rate"], record["noise_multiplier"], record["steps"])


@cache
def _validator() -> jsonschema.Draft202012Validator:
    schema = read_json(str(files("gradval.privacy") / "ledger.schema.json"))
    return jsonschema.Draft202012Validator(schema)
