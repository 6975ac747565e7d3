"""Federated training, round by round: the loop of a server, and all sites in one process."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import nn

from gradval.data.images import NormalisedImages
from gradval.data.store import Store
from gradval.federation.accounts import executed_events
from gradval.federation.coordinator import Coordinator
from gradval.federation.plans import Job, Method, plan_for
from gradval.federation.rounds import Arrays, SiteWorker, problem_of
from gradval.federation.sites import Site, union
from gradval.models.architectures import model_for
from gradval.privacy.events import Events, write_events
from gradval.privacy.keystream import derive_key
from gradval.privacy.plan import PhasePlan
from gradval.runtime.devices import job_device
from gradval.training.evaluation import evaluate
from gradval.training.fingerprints import fingerprint_of, stream_fingerprint
from gradval.training.loop import TrainingData, TrainingDiverged, TrainingResult
from gradval.training.recipe import Recipe
from gradval.training.resume import SAVE_EVERY_SECONDS, ResumeFiles, SaveTimes
from gradval.training.run import RunFiles, write_result
from gradval.training.signals import Interrupted, stop_requests
from gradval.training.streams import secret_key, seeded_key

# Asks every site for a round: number and weights in; site -> answer, and what went wrong, out.
Ask = Callable[[int, Arrays], tuple[Mapping[int, Arrays], list[str]]]


@dataclass
class Progress:
    """What a server has seen so far.

    Attributes:
        metrics: one row a checkpoint.
        rounds: one row a round: round, sites (that answered well), problems, step.
        seconds: spent in rounds, over all interruptions.
    """

    metrics: list[dict[str, float]] = field(default_factory=list)
    rounds: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


def run_rounds(
    coordinator: Coordinator,
    ask: Ask,
    resume: ResumeFiles,
    measure: Callable[[nn.Module], Mapping[str, float]],
    *,
    save_every: float = SAVE_EVERY_SECONDS,
) -> Progress:
    """Go through all rounds, from the saved state if there is one.

    Args:
        coordinator: with its initial weights.
        ask: asks every site.
        resume: where the state of an interrupted run lies or goes.
        measure: what is measured of the model at every checkpoint.
        save_every: seconds between two writes of the state; 0 for after every round.

    Raises:
        Interrupted: SIGTERM or SIGINT arrived; the state was saved first.
        ValueError: the resume file is damaged.
    """
    progress, plan = Progress(), coordinator.job.plan
    if saved := resume.load():
        state, checkpoints = saved
        progress = Progress(**state.pop("progress"))
        coordinator.load_state_dict(state, checkpoints)
    times = SaveTimes(save_every)

    def save() -> None:
        state = coordinator.state_dict() | {"progress": asdict(progress)}
        resume.save(state, coordinator.checkpoints)

    with stop_requests() as stop:
        while not coordinator.over:
            start, taken = time.perf_counter(), len(coordinator.checkpoints)
            number, weights = coordinator.question()
            answers, problems = ask(number, weights)
            step = coordinator.take(answers)
            progress.rounds.append(
                {"round": number, "sites": sorted(answers), "problems": problems, "step": step}
            )
            progress.seconds += time.perf_counter() - start
            if len(coordinator.checkpoints) > taken:
                steps = number * plan.steps_a_round
                row = {"step": steps, "epoch": steps * plan.sampling_rate}
                progress.metrics.append(row | dict(measure(coordinator.kept)))
            if stop.is_set() and not coordinator.over:
                save()
                raise Interrupted(
                    f"interrupted after round {number} of {plan.rounds}, state saved; run the "
                    "same command to go on"
                )
            times.save_if_due(save)
    save()
    return progress


def train_sites(
    store: Store,
    sites: Sequence[Site],
    *,
    method: Method,
    local_steps: int,
    model_options: Mapping[str, Any],
    recipe: Recipe,
    phase: PhasePlan,
    seed: int,
    stream: str,
    files: RunFiles,
    secret_noise: bool = False,
    code: str = "",
) -> dict[str, Events]:
    """Train in one process as sites and a server would, and write the files of a central run.

    Args:
        store: the data set; its test split measures the model.
        sites: what each of them holds.
        method, local_steps: see `gradval.federation.plans`.
        model_options: as in `gradval.models.architectures.model_for`.
        recipe: hyper-parameters; images are not augmented.
        phase: planned for the samples of all sites together.
        seed: fixes the initial weights.
        stream: names the run; keys of the sites follow from it, the seed, data and plan.
        files: where to write; the caller removes the resume state once nothing can fail any more.
        secret_noise: whether the sites' keys come from the operating system's entropy. After an
            interruption they have new ones.
        code: digest of the code; a resume state of other code is not used.

    Returns:
        Name of a site -> what was executed on its samples.

    Raises:
        ValueError: hyper-parameters do not go together.
        TrainingDiverged: what a site answers is not finite.
        Interrupted: as in `run_rounds`.
    """
    if recipe.augmentation != "none":
        raise ValueError(
            f"federation.training {method} needs augmentation none, not {recipe.augmentation}"
        )
    device, sizes = job_device(), tuple(map(len, sites))
    plan = plan_for(method, phase, sizes, recipe.clipping_norm, local_steps=local_steps)
    job = Job(model_options, plan, recipe)
    secret = secret_noise and phase.noise_multiplier is not None
    together = replace(store, train=union(sites))
    data = TrainingData(
        *_split(together.train.images, together.train.labels, store, device),
        *_split(store.test.images, store.test.labels, store, device),
    )
    model = model_for(store, model_options, seed).to(device)
    inputs = stream_fingerprint(together, data, recipe, phase, model=model_options)
    fingerprint = fingerprint_of(
        together, data, recipe, phase, job=job.as_dict(), seed=seed, stream=stream, secret=secret,
        code=code, device=device.type,
    )  # fmt: skip
    key = secret_key() if secret else seeded_key(seed, 0, f"{stream}/{method}", inputs)
    scratch = model_for(store, model_options).to(device)
    workers = [
        SiteWorker(
            scratch,
            *_split(site.split.images, site.split.labels, store, device),
            job,
            key=derive_key(key, "site", site.number),
            most=recipe.physical_batch_size,
        )
        for site in sites
    ]

    def measure(kept: nn.Module) -> dict[str, float]:
        found = evaluate(kept, data.test_images, data.test_labels)
        return {"test_loss": found.loss, "test_accuracy": found.accuracy}

    coordinator = Coordinator(model, job)
    progress = run_rounds(
        coordinator, _asking(workers, job), ResumeFiles(files.resume, fingerprint), measure
    )
    result = TrainingResult(
        weights=coordinator.checkpoints[-1],
        checkpoints=coordinator.checkpoints,
        metrics=progress.metrics,
        train_accuracy=evaluate(coordinator.kept, data.images, data.labels).accuracy,
        test_accuracy=progress.metrics[-1]["test_accuracy"],
        steps=plan.rounds * plan.steps_a_round,
        seconds=progress.seconds,
        observers={},
    )
    write_result(result, together, model, model_options, phase, recipe, files)
    write_events(files.events, executed_events(job, plan.rounds, secret=secret))
    return {
        site.name: executed_events(job, plan.rounds, samples=len(site), secret=secret)
        for site in sites
    }


def _split(images: Any, labels: Any, store: Store, device: torch.device) -> tuple[Any, Any]:
    normalised = NormalisedImages(images, store.mean, store.std, device)
    return normalised, torch.from_numpy(labels).to(device)


def _asking(workers: Sequence[SiteWorker], job: Job) -> Ask:
    """All sites in this process, where whoever fails fails for good."""

    def ask(number: int, weights: Arrays) -> tuple[Mapping[int, Arrays], list[str]]:
        answers = {site: worker.answer(number, weights) for site, worker in enumerate(workers)}
        for site, answer in answers.items():
            if problem := problem_of(answer, weights):
                raise TrainingDiverged(
                    f"round {number} of {job.plan.rounds}: the answer of site {site} is {problem} "
                    f"(learning_rate {job.recipe.learning_rate}); lower the learning rate"
                )
        return answers, []

    return ask
