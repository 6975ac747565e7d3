"""A one-run audit of private training: the real loop on real data with canaries among them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gradval.audit.canaries import CanaryModel, canary_scores, insert_canaries
from gradval.audit.lower_bound import count_correct, epsilon_lower_bound, guess_inclusion
from gradval.data.store import Store
from gradval.models.architectures import model_for
from gradval.privacy.accountants import NEIGHBOURING_RELATION, SampledGaussian, epsilon
from gradval.privacy.events import extended, training_event, write_events
from gradval.privacy.plan import PhasePlan
from gradval.runtime.devices import job_device
from gradval.training.fingerprints import fingerprint_of, stream_fingerprint
from gradval.training.loop import Trainer
from gradval.training.recipe import Recipe, derive_seed
from gradval.training.streams import secret_key, seeded_key

logger = logging.getLogger("gradval")


@dataclass(frozen=True)
class AuditPlan:
    """What an audit does, all of it fixed before it starts.

    Attributes:
        canaries: number m of canaries, each included by a fair coin.
        guesses: number r of guesses, even, at most m.
        confidence: of the lower bound, in [0.5, 1).
    """

    canaries: int
    guesses: int
    confidence: float


@dataclass(frozen=True)
class AuditResult:
    """What an audit found, beside what is claimed.

    Attributes:
        claimed_epsilon: of the executed steps, under `accountant`.
        delta, neighbouring_relation: of the claim and of the bound.
        accountant: a key of `gradval.privacy.accountants.ACCOUNTANTS`.
        epsilon_lower_bound: with `confidence` the true epsilon at `delta` is not below it.
        confidence: of both bounds.
        highest_bound: the same if every guess had been right. A claim above it cannot be refuted.
        refuted: whether the bound exceeds the claim.
        canaries, included, guesses, correct: counts.
        sampling_rate, noise_multiplier, steps: of the claim.
    """

    claimed_epsilon: float
    delta: float
    neighbouring_relation: str
    accountant: str
    epsilon_lower_bound: float
    confidence: float
    highest_bound: float
    refuted: bool
    canaries: int
    included: int
    guesses: int
    correct: int
    sampling_rate: float
    noise_multiplier: float
    steps: int


def audit_training(
    store: Store,
    *,
    model_options: Mapping[str, Any],
    recipe: Recipe,
    phase: PhasePlan,
    audit: AuditPlan,
    delta: float,
    accountant: str,
    seed: int,
    stream: str,
    draw: int = 0,
    secret: bool = False,
    make_trainer: type[Trainer] = Trainer,
    events_path: str | Path | None = None,
    resume_path: Path | None = None,
    code: str = "",
    progress: bool = True,
) -> AuditResult:
    """Train once with canaries and bound epsilon from below by what the weights tell of them.

    Args:
        store: the data set.
        model_options: as in `gradval.models.architectures.model_for`.
        recipe: hyper-parameters.
        phase: the private phase that is audited. Its rate, noise and steps are executed; places for
            canaries join the samples.
        audit: canaries, guesses, confidence.
        delta: of the claim and of the bound.
        accountant: states the claim; see `gradval.privacy.accountants.epsilon`.
        seed: of the initial weights.
        stream: names the run; all of its random streams depend on it.
        draw: fixes coins, sampling, noise and views, together with seed, name, data and plan.
        secret: whether noise, sampling and views are drawn from the operating system's entropy, as
            in a run with secret noise. The coins never are.
        make_trainer: the training that is audited.
        events_path: where to write what was executed, see `gradval.privacy.events`.
        resume_path: where the state of an interrupted run lies or goes; `None` for no resume.
        code: digest of the code; a resume state of other code is not used.
        progress: whether to show a progress bar.

    Raises:
        ValueError: the phase is not private, or as `guess_inclusion` and `Trainer`.
    """
    claim = phase.event()
    device = job_device()
    coins = np.random.default_rng(derive_seed(seed, draw, stream, "coins"))
    included = coins.random(audit.canaries) < 0.5
    data = insert_canaries(store, included, device)
    model = CanaryModel(
        model_for(store, model_options, seed),
        classes=len(store.classes),
        canaries=audit.canaries,
        clipping_norm=recipe.clipping_norm,
    ).to(device)
    audited = replace(phase, samples=len(data.images))
    inputs = stream_fingerprint(store, data, recipe, phase, model=model_options)
    trainer = make_trainer(
        model,
        data,
        audited,
        recipe,
        key=secret_key() if secret else seeded_key(seed, draw, stream, inputs),
        resume_path=resume_path,
        fingerprint=fingerprint_of(
            store,
            data,
            recipe,
            phase,
            model=model_options,
            seed=seed,
            draw=draw,
            stream=stream,
            secret=secret,
            code=code,
            device=device.type,
        ),
        description=stream if progress else None,
    )
    trained = trainer.run()
    if events_path is not None:
        executed = replace(audited, steps=trained.steps)
        event = training_event(
            executed, name="audit", clipping_norm=recipe.clipping_norm, secret=secret
        )
        write_events(events_path, extended(None, event))
    guessed = guess_inclusion(canary_scores(trained.weights), audit.guesses)
    return _result(
        audit,
        replace(claim, steps=trained.steps),
        correct=count_correct(guessed, included),
        included=int(included.sum()),
        delta=delta,
        accountant=accountant,
    )


def _result(
    audit: AuditPlan,
    claim: SampledGaussian,
    *,
    correct: int,
    included: int,
    delta: float,
    accountant: str,
) -> AuditResult:
    def bound(right: int) -> float:
        return epsilon_lower_bound(right, audit.guesses, audit.canaries, delta, audit.confidence)

    claimed, lower = epsilon([claim], delta, accountant), bound(correct)
    if lower > claimed:
        logger.warning(
            "the claim is refuted: epsilon is above %.3f with confidence %g, claimed is %.3f",
            lower,
            audit.confidence,
            claimed,
        )
    return AuditResult(
        claimed_epsilon=claimed,
        delta=delta,
        neighbouring_relation=NEIGHBOURING_RELATION,
        accountant=accountant,
        epsilon_lower_bound=lower,
        confidence=audit.confidence,
        highest_bound=bound(audit.guesses),
        refuted=lower > claimed,
        canaries=audit.canaries,
        included=included,
        guesses=audit.guesses,
        correct=correct,
        **claim.to_dict(),
    )
