"""A one-run audit of private training: the real loop on real data with canaries among them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from gradval.audit.canaries import CanaryModel, audited_data, in_places
from gradval.audit.f_dp import Guesses, bound_epsilon, guess
from gradval.audit.inclusion import inclusion_scores
from gradval.audit.lower_bound import epsilon_lower_bound
from gradval.audit.watch import WatchedTrainer, joined
from gradval.data.store import Store
from gradval.models.architectures import model_for
from gradval.privacy.accountants import NEIGHBOURING_RELATION, Event, epsilon
from gradval.privacy.events import extended, training_event, write_events
from gradval.privacy.plan import PhasePlan
from gradval.runtime.devices import job_device
from gradval.training.fingerprints import fingerprint_of, stream_fingerprint
from gradval.training.recipe import Recipe, derive_seed
from gradval.training.streams import secret_key, seeded_key

logger = logging.getLogger("gradval")

Sees = Literal["steps", "weights"]


@dataclass(frozen=True)
class AuditPlan:
    """What an audit does, all of it fixed before it starts.

    Attributes:
        canaries: number m of canaries, each there by a fair coin.
        guesses: number c' of guesses, even, at most m; half in and half out.
        confidence: of the lower bounds, in [0.5, 1).
        sees: what whoever guesses sees: the weights after every `steps`, as the accountant
            assumes, or the final `weights` alone.
    """

    canaries: int
    guesses: int
    confidence: float
    sees: Sees = "steps"


@dataclass(frozen=True)
class AuditResult:
    """What an audit found, beside what is claimed.

    Attributes:
        claimed_epsilon: of the executed events, under `accountant`.
        delta, neighbouring_relation: of the claim and of the bounds.
        accountant: a key of `gradval.privacy.accountants.ACCOUNTANTS`.
        epsilon_lower_bound: with `confidence` the true epsilon at `delta` is not below it, if the
            mechanism is the claimed one but for the size of its noise (`gradval.audit.f_dp`).
        any_mechanism: the same without the condition (`gradval.audit.lower_bound`).
        confidence: of each bound.
        refuted: whether the claimed events are refuted.
        refutable: whether they would be if every guess were right.
        canaries, included, guesses, correct_in, correct_out: counts.
        sees: what was seen.
        events: what was executed, as plain numbers.
    """

    claimed_epsilon: float
    delta: float
    neighbouring_relation: str
    accountant: str
    epsilon_lower_bound: float
    any_mechanism: float
    confidence: float
    refuted: bool
    refutable: bool
    canaries: int
    included: int
    guesses: int
    correct_in: int
    correct_out: int
    sees: str
    events: list[dict[str, Any]]


@dataclass(frozen=True)
class _Watched:
    """A phase as it was executed, and who executed it."""

    phase: PhasePlan
    trainer: WatchedTrainer


def judge(
    scores: NDArray[np.float64],
    included: NDArray[np.bool_],
    events: Sequence[Event],
    audit: AuditPlan,
    *,
    delta: float,
    accountant: str,
    relation: str = NEIGHBOURING_RELATION,
) -> AuditResult:
    """Guess the coins from the scores, and say what follows for the claim.

    Args:
        scores: `(m,)`, larger if the canary seems to be there.
        included: bool `(m,)`, the coins.
        events: what is claimed to have been executed.
        audit: as planned.
        delta: of claim and bounds.
        accountant: states the claim; see `gradval.privacy.accountants.epsilon`.
        relation: neighbouring data sets, in words.

    Raises:
        ValueError: as `guess` and `bound_epsilon`.
    """
    guesses: Guesses = guess(scores, included, audit.guesses)
    bound = bound_epsilon(guesses, events, delta, audit.confidence)
    made, right = guesses.of("both")
    claimed = epsilon(events, delta, accountant)
    if bound.refuted:
        logger.warning(
            "the claim is refuted: with confidence %g this is not what the ledger says; epsilon "
            "is about %.3f or more, claimed is %.3f",
            audit.confidence,
            bound.epsilon,
            claimed,
        )
    return AuditResult(
        claimed_epsilon=claimed,
        delta=delta,
        neighbouring_relation=relation,
        accountant=accountant,
        epsilon_lower_bound=bound.epsilon,
        any_mechanism=epsilon_lower_bound(right, made, len(scores), delta, audit.confidence),
        confidence=audit.confidence,
        refuted=bound.refuted,
        refutable=bound.refutable,
        canaries=len(scores),
        included=int(included.sum()),
        guesses=made,
        correct_in=guesses.right_in,
        correct_out=guesses.right_out,
        sees=audit.sees,
        events=[asdict(event) for event in events],
    )


def audit_training(
    store: Store,
    *,
    model_options: Mapping[str, Any],
    recipe: Recipe,
    phases: Mapping[str, PhasePlan],
    audit: AuditPlan,
    delta: float,
    accountant: str,
    seed: int,
    stream: str,
    draw: int = 0,
    secret: bool = False,
    make_trainer: type[WatchedTrainer] = WatchedTrainer,
    events_path: str | Path | None = None,
    resume_path: Path | None = None,
    code: str = "",
    progress: bool = True,
) -> AuditResult:
    """Train once with canaries and bound epsilon from below by what is seen of them.

    Of several phases each goes on from the weights of the last, on as many images as it says, a
    random part of the last one's: pruning, with canaries that are kept.

    Args:
        store: the data set.
        model_options: as in `gradval.models.architectures.model_for`.
        recipe: hyper-parameters.
        phases: the private phases that are audited together, by name, in order. Their rates, noise
            and steps are executed; canaries join the samples.
        audit: canaries, guesses, confidence, what is seen.
        delta: of the claim and of the bounds.
        accountant: states the claim; see `gradval.privacy.accountants.epsilon`.
        seed: of the initial weights.
        stream: names the run; all of its random streams depend on it.
        draw: fixes coins, sampling, noise and views, together with seed, name, data and plan.
        secret: whether noise, sampling and views are drawn from the operating system's entropy, as
            in a run with secret noise. The coins never are.
        make_trainer: the training that is audited.
        events_path: where to write what was executed, see `gradval.privacy.events`.
        resume_path: where the state of an interrupted run lies or goes, with the number of the
            phase added from the second on; `None` for no resume.
        code: digest of the code; a resume state of other code is not used.
        progress: whether to show a progress bar.

    Raises:
        ValueError: a phase is not private, or as `guess` and `Trainer`.
    """
    for phase in phases.values():
        phase.event()  # Before anything is spent: what claims nothing is not audited.
    device = job_device()
    coins = np.random.default_rng(derive_seed(seed, draw, stream, "coins"))
    included = coins.random(audit.canaries) < 0.5
    order = np.random.default_rng(derive_seed(seed, draw, stream, "kept")).permutation(
        len(store.train)
    )
    model = CanaryModel(
        model_for(store, model_options, seed),
        classes=len(store.classes),
        canaries=audit.canaries,
        clipping_norm=recipe.clipping_norm,
    ).to(device)
    watched, written = [], None
    for number, (name, phase) in enumerate(phases.items()):
        kept = np.sort(order[: phase.samples])
        data = audited_data(store, kept, audit.canaries, device)
        present = np.concatenate([np.ones(len(kept), dtype=bool), included])
        inputs = {"model": model_options, "initial_weights": f"of phase {number}"}
        trainer = make_trainer(
            model,
            data,
            replace(phase, samples=len(data.images)),
            recipe,
            present=torch.from_numpy(present),
            key=secret_key()
            if secret
            else seeded_key(
                seed, draw, stream, stream_fingerprint(store, data, recipe, phase, **inputs)
            ),
            resume_path=_of_phase(resume_path, number),
            fingerprint=fingerprint_of(
                store,
                data,
                recipe,
                phase,
                **inputs,
                seed=seed,
                draw=draw,
                stream=stream,
                secret=secret,
                code=code,
                device=device.type,
            ),
            description=stream if progress else None,
        )
        steps = trainer.run().steps
        watched.append(_Watched(replace(phase, steps=steps), trainer))
        event = training_event(
            replace(phase, samples=len(data.images), steps=steps),
            name=name,
            clipping_norm=recipe.clipping_norm,
            secret=secret,
            selection="random" if number else "none",
        )
        written = extended(written, event)
    if events_path is not None and written is not None:
        write_events(events_path, written)
    return judge(
        _scores(watched, model, audit),
        included,
        [one.phase.event() for one in watched],
        audit,
        delta=delta,
        accountant=accountant,
    )


def resume_paths(resume_path: Path, phases: int) -> list[Path]:
    """Where the states of all phases of an audit lie."""
    return [path for n in range(phases) if (path := _of_phase(resume_path, n)) is not None]


def _of_phase(resume_path: Path | None, number: int) -> Path | None:
    if resume_path is None or not number:
        return resume_path
    return resume_path.with_stem(f"{resume_path.stem}{number + 1}")


def _scores(
    watched: Sequence[_Watched], model: CanaryModel, audit: AuditPlan
) -> NDArray[np.float64]:
    if audit.sees == "weights":
        final = joined(-in_places(list(model.sinks.parameters()), model.places), model.canaries)
        return np.asarray(final[: model.canaries].double())
    seen = torch.stack([step for one in watched for step in one.trainer.seen]).double().numpy()
    rates = [one.phase.sampling_rate for one in watched for _ in range(one.phase.steps)]
    return inclusion_scores(seen[:, : model.canaries], seen[:, model.canaries :], rates)
