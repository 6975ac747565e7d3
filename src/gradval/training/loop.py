"""The training loop: Poisson sampling, one step after another, checkpoints, metrics, resume."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from gradval.data.images import NormalisedImages
from gradval.privacy.plan import PhasePlan
from gradval.training.augmentation import Augmentation
from gradval.training.checkpoints import checkpoint_steps
from gradval.training.evaluation import evaluate
from gradval.training.observers import Observer, make_observer
from gradval.training.optimizers import SGD
from gradval.training.recipe import Recipe
from gradval.training.resume import (
    SAVE_EVERY_SECONDS,
    ResumeFiles,
    SaveTimes,
    computed_with,
    warn_of_changes,
)
from gradval.training.signals import Interrupted, stop_requests
from gradval.training.steps import PRIVATE_STEPS, NonPrivateStep, SampleObservation, Step
from gradval.training.streams import Streams, default_state

logger = logging.getLogger("gradval")

DRAWS_BY_ITSELF = (
    "the model draws random numbers while it trains (dropout?), outside of the streams that are "
    "saved and kept secret with the run; use a model without such layers"
)


class TrainingDiverged(ValueError):
    """A loss or gradient is not finite."""


@dataclass(frozen=True)
class TrainingData:
    """What a run trains on and is evaluated on.

    Attributes:
        images, labels: training images `(N, C, H, W)` and labels `(N,)` int64.
        test_images, test_labels: the same for the test split.
        positions: `(N,)` int64, of the training images in their data set, for messages; `None` if
            they are all of it.
    """

    images: NormalisedImages
    labels: Tensor
    test_images: NormalisedImages
    test_labels: Tensor
    positions: Tensor | None = None


@dataclass
class TrainingResult:
    """What a finished run leaves.

    Attributes:
        weights: final weights, averaged if the recipe says so.
        checkpoints: K weights, in the order of training; the last are the final ones.
        metrics: one row a checkpoint: step, epoch, train_loss (mean over the sampled batches since
            the last row, of the augmented images), test_loss, test_accuracy.
        train_accuracy, test_accuracy: of the final weights, in [0, 1].
        steps: steps executed, the number that the accountant must count.
        seconds: time spent in training steps, evaluation excluded, over all interruptions.
        observers: by name, as they are at the end.
    """

    weights: dict[str, Tensor]
    checkpoints: list[dict[str, Tensor]]
    metrics: list[dict[str, float]]
    train_accuracy: float
    test_accuracy: float
    steps: int
    seconds: float
    observers: dict[str, Observer]


@dataclass
class _Progress:
    step: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    loss_count: int = 0
    metrics: list[dict[str, float]] = field(default_factory=list)
    checkpoints: list[dict[str, Tensor]] = field(default_factory=list)


class Trainer:
    """One phase of training of one model, from the saved state if there is one.

    Args:
        model: with its initial weights, on the device to train on; trained in place.
        data: on the same device.
        phase: sampling rate, steps and noise, as planned; executed to the letter.
        recipe: hyper-parameters.
        key: 32 bytes from which the streams of sampling, noise and augmentation follow, see
            `gradval.training.streams`; not used by a run that is resumed. A secret one is in the
            resume state and nowhere else.
        observers: names of those who observe, see `gradval.training.observers`.
        resume_path: where the state of an interrupted run lies or goes; `None` for no resume.
        fingerprint: of everything that the result depends on.
        save_every: seconds between two writes of the state, longer if writing takes long.
        description: label of the progress bar; `None` hides it.

    Raises:
        ValueError: hyper-parameters do not go together (`Recipe.check`), an observer is unknown,
            the phase samples from another number of images than there are, or the resume file is
            damaged.
    """

    def __init__(
        self,
        model: nn.Module,
        data: TrainingData,
        phase: PhasePlan,
        recipe: Recipe,
        *,
        key: bytes,
        observers: Sequence[str] = (),
        resume_path: str | Path | None = None,
        fingerprint: str = "",
        save_every: float = SAVE_EVERY_SECONDS,
        description: str | None = None,
    ) -> None:
        if len(data.images) != phase.samples or len(data.labels) != phase.samples:
            raise ValueError(
                f"the plan samples from {phase.samples} images, but there are {len(data.images)}"
            )
        private = phase.noise_multiplier is not None
        self.device = next(model.parameters()).device
        self.observers = {
            name: make_observer(name, data.images.shape, private=private, device=self.device)
            for name in observers
        }
        recipe.check(private=private, free_scores=self._observes_gradients)
        self.model, self.data, self.phase, self.recipe = model, data, phase, recipe
        self.save_every, self.description = save_every, description
        self.resume_files = None if resume_path is None else ResumeFiles(resume_path, fingerprint)
        self.streams = Streams.of(key, self.device)
        self.augmentation = Augmentation(recipe.augmentation, recipe.multiplicity)
        # Copied before the step may attach hooks to the model.
        self.average = (
            AveragedModel(model, avg_fn=self._average_parameter) if recipe.ema_decay else None
        )
        self.step_kind = self._make_step()
        self.progress = _Progress()
        if self.resume_files is not None and (saved := self.resume_files.load()):
            self._restore(*saved)
        self._resumed_at = self.progress.step

    def _make_step(self) -> Step:
        recipe, phase = self.recipe, self.phase
        optimizer = SGD(
            self.model.parameters(),
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
        views: dict[str, Any] = {
            "multiplicity": recipe.multiplicity,
            "observe": self._observes_gradients,
        }
        if phase.noise_multiplier is None:
            return NonPrivateStep(self.model, optimizer, phase.expected_batch_size, **views)
        return PRIVATE_STEPS[recipe.clipping](
            self.model,
            optimizer,
            phase.expected_batch_size,
            noise_multiplier=phase.noise_multiplier,
            clipping_norm=recipe.clipping_norm,
            noise=self.streams.noise,
            **views,
        )

    @property
    def _observes_gradients(self) -> bool:
        return any(observer.needs_gradients for observer in self.observers.values())

    def _average_parameter(self, average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        # A short memory at the start, as in De et al. (2022), so that the random initial weights
        # do not linger.
        decay = min(self.recipe.ema_decay, (1 + float(count)) / (10 + float(count)))
        return torch.lerp(current, average, decay)

    @property
    def kept_model(self) -> nn.Module:
        """The model that is evaluated and kept: the average if there is one."""
        if self.average is None:
            return self.model
        module = self.average.module
        assert isinstance(module, nn.Module)
        return module

    def run(self) -> TrainingResult:
        """Train to the end.

        The state at the end is saved too, so that nothing is lost if its result cannot be written.

        Raises:
            TrainingDiverged: a loss or gradient is not finite.
            ValueError: the model draws random numbers (dropout), so that the run could be neither
                repeated nor resumed, nor its noise be kept secret.
            Interrupted: SIGTERM or SIGINT arrived; the state was saved first. Without a place for
                it they do what they always do.
        """
        due = set(checkpoint_steps(self.phase.steps, self.recipe.checkpoints))
        self.model.train()
        save_times, elsewhere = SaveTimes(self.save_every), default_state(self.device)
        can_stop = stop_requests() if self.resume_files is not None else nullcontext()
        with can_stop as stop, self._progress_bar() as bar:
            while self.progress.step < self.phase.steps:
                start = time.perf_counter()
                self._take_step()
                self.progress.seconds += time.perf_counter() - start
                if not torch.equal(default_state(self.device), elsewhere):
                    raise ValueError(DRAWS_BY_ITSELF)
                bar.update()
                if self.progress.step in due:
                    self._take_checkpoint()
                if stop is not None and stop.is_set():
                    self._save()
                    raise Interrupted(
                        f"interrupted after step {self.progress.step} of {self.phase.steps}, state "
                        "saved; run the same command to go on"
                    )
                save_times.save_if_due(self._save)
        if self.progress.step > self._resumed_at:
            self._save()
        return self._finish()

    def _progress_bar(self) -> "tqdm[Any]":
        return tqdm(
            total=self.phase.steps,
            initial=self.progress.step,
            desc=self.description,
            disable=self.description is None,
            unit="step",
            mininterval=1.0,
        )

    def _take_step(self) -> None:
        progress, phase = self.progress, self.phase
        rate = self.recipe.learning_rate_at(progress.step, phase.steps)
        for group in self.step_kind.optimizer.param_groups:
            group["lr"] = rate
        indices = self._draw()
        draws = self.augmentation.draw(len(indices), self.streams.augmentation)
        samples = self.recipe.physical_batch_size // self.recipe.multiplicity
        for chunk, changes in zip(indices.split(samples), draws.split(samples), strict=True):
            if len(chunk) == 0:
                continue
            seen = self._accumulate(chunk, changes)
            for observer in self.observers.values():
                observer.observe(chunk, seen)
            progress.loss_sum += float(seen.losses.sum())
            progress.loss_count += len(chunk)
        with self._named(indices):
            self.step_kind.update()
        if self.average is not None:
            self.average.update_parameters(self.model)
        progress.step += 1

    def _draw(self) -> Tensor:
        """Poisson sampling: each sample enters the step independently with the accounted rate."""
        drawn = self.streams.sampling.bernoulli(self.phase.samples, self.phase.sampling_rate)
        return drawn.nonzero()[:, 0]

    def _accumulate(self, chunk: Tensor, changes: Tensor) -> SampleObservation:
        images = self.augmentation.views(self.data.images[chunk], changes)
        labels = self.data.labels[chunk.to(self.data.labels.device)]
        labels = labels.repeat_interleave(self.recipe.multiplicity)
        with self._named(chunk):
            seen = self.step_kind.accumulate(images, labels)
            if not torch.isfinite(seen.losses).all():
                raise ValueError("the loss is not finite")
        return seen

    @contextmanager
    def _named(self, samples: Tensor) -> Iterator[None]:
        """Say of an error in which step, with which samples and hyper-parameters it arose."""
        try:
            yield
        except ValueError as error:
            raise TrainingDiverged(
                f"step {self.progress.step + 1} of {self.phase.steps}, {self._range(samples)}: "
                f"{error} {self._remedy()}"
            ) from error

    def _range(self, samples: Tensor) -> str:
        """Which samples, by their positions in the data set."""
        if len(samples) == 0:
            return "no sample"
        positions = samples if self.data.positions is None else self.data.positions[samples]
        return f"samples {positions.min()} to {positions.max()}"

    def _remedy(self) -> str:
        recipe, noise = self.recipe, self.phase.noise_multiplier
        private = "" if noise is None else f", noise multiplier {noise:.4g}"
        return (
            f"(learning_rate {recipe.learning_rate}, momentum {recipe.momentum}, batch_size "
            f"{recipe.batch_size}, clipping_norm {recipe.clipping_norm}{private}); lower the "
            "learning rate"
        )

    def _take_checkpoint(self) -> None:
        progress = self.progress
        kept = self.kept_model
        weights = {name: t.detach().cpu().clone() for name, t in kept.state_dict().items()}
        for name, tensor in weights.items():
            if not torch.isfinite(tensor).all():
                raise TrainingDiverged(
                    f"step {progress.step} of {self.phase.steps}: the weights ({name}) are not "
                    f"finite {self._remedy()}"
                )
        progress.checkpoints.append(weights)
        rate = self.recipe.learning_rate_at(progress.step - 1, self.phase.steps)
        for observer in self.observers.values():
            observer.at_checkpoint(progress.step, kept, rate)
        test = evaluate(kept, self.data.test_images, self.data.test_labels)
        progress.metrics.append(
            {
                "step": progress.step,
                "epoch": progress.step * self.phase.sampling_rate,
                "train_loss": progress.loss_sum / max(1, progress.loss_count),
                "test_loss": test.loss,
                "test_accuracy": test.accuracy,
            }
        )
        progress.loss_sum, progress.loss_count = 0.0, 0

    def _finish(self) -> TrainingResult:
        progress = self.progress
        train = evaluate(self.kept_model, self.data.images, self.data.labels)
        return TrainingResult(
            weights=progress.checkpoints[-1],
            checkpoints=progress.checkpoints,
            metrics=progress.metrics,
            train_accuracy=train.accuracy,
            test_accuracy=progress.metrics[-1]["test_accuracy"],
            steps=progress.step,
            seconds=progress.seconds,
            observers=self.observers,
        )

    def _state(self) -> dict[str, Any]:
        # From the generators all noise can be computed, and after the last step nobody draws.
        going_on = self.progress.step < self.phase.steps
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
            "optimizer": self.step_kind.optimizer.state_dict() if going_on else None,
            "streams": self.streams.state_dict() if going_on else None,
            "computed_with": computed_with(self.device),
            "observers": {name: o.state_dict() for name, o in self.observers.items()},
            "progress": {k: v for k, v in vars(self.progress).items() if k != "checkpoints"},
        }

    def _save(self) -> None:
        if self.resume_files is not None:
            self.resume_files.save(self._state(), self.progress.checkpoints)

    def _restore(self, state: dict[str, Any], checkpoints: list[dict[str, Tensor]]) -> None:
        self.model.load_state_dict(state["model"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        if state["streams"] is not None:
            self.step_kind.optimizer.load_state_dict(state["optimizer"])
            self.streams.load_state_dict(state["streams"])
        for name, observer in self.observers.items():
            observer.load_state_dict(state["observers"][name])
        self.progress = _Progress(**state["progress"], checkpoints=checkpoints)
        logger.info("resumed after step %d of %d", self.progress.step, self.phase.steps)
        warn_of_changes(state["computed_with"], self.device)
