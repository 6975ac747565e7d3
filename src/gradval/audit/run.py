"""A one-run audit of private training: the real loop on real data with canaries among them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gradval.audit.canaries import CanaryModel, audited_data, in_places
from gradval.audit.inclusion import inclusion_scores, noise_scale
from gradval.audit.result import AuditPlan, AuditResult, Sees, judge
from gradval.audit.watch import WatchedTrainer, joined
from gradval.data.store import Store
from gradval.models.architectures import model_for
from gradval.privacy.accountants import SampledGaussian
from gradval.privacy.events import Events, extended, training_event, write_events
from gradval.privacy.plan import PhasePlan
from gradval.runtime.devices import job_device
from gradval.training.fingerprints import fingerprint_of, stream_fingerprint
from gradval.training.recipe import Recipe, derive_seed
from gradval.training.streams import secret_key, seeded_key

# Of the logarithm of the noise's scale, beside log-likelihoods, between trainings: of no weight
# while the noise is as claimed, and of more than they have where it is off by half.
_SCALE_WEIGHT = 10.0


@dataclass(frozen=True)
class _Watched:
    """A phase as it was executed, and who executed it."""

    phase: PhasePlan
    trainer: WatchedTrainer


@dataclass(frozen=True)
class _Training:
    """All phases of one training with canaries.

    Attributes:
        model: at the end.
        included: bool `(m,)`, the coins.
        phases: in order.
        events: what was executed, for a file.
    """

    model: CanaryModel
    included: NDArray[np.bool_]
    phases: list[_Watched]
    events: Events

    @property
    def claims(self) -> list[SampledGaussian]:
        """The mechanisms that were executed."""
        return [one.phase.event() for one in self.phases]

    def scores(self, sees: Sees) -> NDArray[np.float64]:
        """Of the canaries, `(m,)`, larger for those that seem to be there."""
        model = self.model
        if sees == "weights":
            final = joined(-in_places(list(model.sinks.parameters()), model.places), model.canaries)
            return np.asarray(final[: model.canaries].double())
        seen, references = self._seen()
        rates = [one.phase.sampling_rate for one in self.phases for _ in range(one.phase.steps)]
        return inclusion_scores(seen, references, rates)

    def noise_scale(self) -> float:
        """See `gradval.audit.inclusion.noise_scale`."""
        noise = [claim.noise_multiplier for claim in self.claims for _ in range(claim.steps)]
        return noise_scale(self._seen()[1], noise)

    def _seen(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of all steps, the canaries and the empty places."""
        steps = [step for one in self.phases for step in one.trainer.seen]
        every = torch.stack(steps).double().numpy()
        return every[:, : self.model.canaries], every[:, self.model.canaries :]


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
    training = _train(
        store,
        model_options=model_options,
        recipe=recipe,
        phases=phases,
        canaries=audit.canaries,
        seed=seed,
        stream=stream,
        draw=draw,
        secret=secret,
        make_trainer=make_trainer,
        resume_path=resume_path,
        code=code,
        progress=progress,
    )
    if events_path is not None:
        write_events(events_path, training.events)
    return judge(
        training.scores(audit.sees),
        training.included,
        training.claims,
        audit,
        delta=delta,
        accountant=accountant,
    )


def audit_trainings(
    store: Store,
    *,
    model_options: Mapping[str, Any],
    recipe: Recipe,
    phases: Mapping[str, PhasePlan],
    audit: AuditPlan,
    trainings: int,
    delta: float,
    accountant: str,
    seed: int,
    stream: str,
    make_trainer: type[WatchedTrainer] = WatchedTrainer,
) -> AuditResult:
    """Train many times with few canaries each, and judge all of them together.

    What a training tells of all its canaries at once, such as their number, is the same for all of
    its coins and shows in many trainings alone. So the size of the noise counts here: if it hangs
    on who is there, it gives them away. The trainings are independent, and all of them together as
    private towards each coin as its own.

    Args:
        store, model_options, recipe, phases, delta, accountant, seed, make_trainer: as of
            `audit_training`.
        audit: its canaries are dealt to the trainings; steps are seen.
        trainings: how many.
        stream: names the runs, with their number behind it.

    Raises:
        ValueError: as `audit_training`, or the canaries cannot be dealt evenly.
    """
    each, over = divmod(audit.canaries, trainings)
    if over or not each:
        raise ValueError(f"{audit.canaries} canaries cannot be dealt evenly to {trainings}")
    scores, included = [], []
    for number in range(trainings):
        training = _train(
            store,
            model_options=model_options,
            recipe=recipe,
            phases=phases,
            canaries=each,
            seed=seed,
            stream=f"{stream}/{number}",
            make_trainer=make_trainer,
        )
        scores.append(training.scores("steps") - _SCALE_WEIGHT * training.noise_scale())
        included.append(training.included)
    return judge(
        np.concatenate(scores),
        np.concatenate(included),
        training.claims,
        audit,
        delta=delta,
        accountant=accountant,
    )


def _train(
    store: Store,
    *,
    model_options: Mapping[str, Any],
    recipe: Recipe,
    phases: Mapping[str, PhasePlan],
    canaries: int,
    seed: int,
    stream: str,
    draw: int = 0,
    secret: bool = False,
    make_trainer: type[WatchedTrainer] = WatchedTrainer,
    resume_path: Path | None = None,
    code: str = "",
    progress: bool = False,
) -> _Training:
    for phase in phases.values():
        phase.event()  # Before anything is spent: what claims nothing is not audited.
    device = job_device()
    coins = np.random.default_rng(derive_seed(seed, draw, stream, "coins"))
    included = coins.random(canaries) < 0.5
    order = np.random.default_rng(derive_seed(seed, draw, stream, "kept")).permutation(
        len(store.train)
    )
    model = CanaryModel(
        model_for(store, model_options, seed),
        classes=len(store.classes),
        canaries=canaries,
        clipping_norm=recipe.clipping_norm,
    ).to(device)
    watched: list[_Watched] = []
    written: Events | None = None
    for number, (name, phase) in enumerate(phases.items()):
        kept = np.sort(order[: phase.samples])
        data = audited_data(store, kept, canaries, device)
        present = np.concatenate([np.ones(len(kept), dtype=bool), included])
        inputs: dict[str, Any] = {
            "model": model_options,
            "initial_weights": f"of phase {number}",
        }
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
    assert written is not None
    return _Training(model, included, watched, written)


def resume_paths(resume_path: Path, phases: int) -> list[Path]:
    """Where the states of all phases of an audit lie."""
    return [path for n in range(phases) if (path := _of_phase(resume_path, n)) is not None]


def _of_phase(resume_path: Path | None, number: int) -> Path | None:
    if resume_path is None or not number:
        return resume_path
    return resume_path.with_stem(f"{resume_path.stem}{number + 1}")
