"""DP-SGD whose unit is a group: a patient counts once, however many images there are.

In each step every group is drawn independently with the planned rate. Of a drawn group at most m
images are taken at random, and the mean of their gradients is clipped as one contribution. What a
step adds up thus changes by at most the clipping norm if a whole group is added or removed.

Groups of which equally many images are taken form a batch. To the step, the images of a group are
what augmented views are of a sample: consecutive rows whose gradients are averaged before clipping
(`multiplicity`). So every way of clipping that averages views serves groups too, with the memory of
a physical batch.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gradval.privacy.group_plan import GroupPlan
from gradval.training.loop import Trainer, TrainingData
from gradval.training.recipe import Recipe, check_grouping
from gradval.training.steps import PrivateStep

Positions = NDArray[np.int64]


def members_of(groups: Sequence[str]) -> list[Positions]:
    """Ascending positions of each group's samples; groups in the order of their first sample.

    Args:
        groups: of each sample, length N.
    """
    _, first, inverse = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
    return [parts[i] for i in np.argsort(first)]


class GroupTrainer(Trainer):
    """As `Trainer`, private, with groups as units.

    Args:
        model, data, recipe: as in `Trainer`.
        phase: by groups.
        groups: of each training sample.
        options: keywords of `Trainer`.

    Raises:
        ValueError: as in `Trainer`; the way of clipping takes each image for a unit; scores are to
            be collected on the way, which are of samples; or the plan is of other groups.
    """

    phase: GroupPlan

    def __init__(
        self,
        model: nn.Module,
        data: TrainingData,
        phase: GroupPlan,
        recipe: Recipe,
        *,
        groups: Sequence[str],
        **options: Any,
    ) -> None:
        check_grouping(recipe, phase.images_per_group)
        if phase.noise_multiplier is None:
            raise ValueError("groups are units of private training alone")
        if options.get("observers"):
            raise ValueError("free scores (scores.free) are of samples, and the unit is a group")
        self.members = members_of(groups)
        if len(self.members) != phase.groups or len(groups) != phase.samples:
            raise ValueError(
                f"the plan samples from {phase.groups} groups of {phase.samples} images, but there "
                f"are {len(self.members)} of {len(groups)}"
            )
        super().__init__(model, data, phase, recipe, **options)

    def _take_step(self) -> None:
        progress, step = self.progress, self.step_kind
        assert isinstance(step, PrivateStep)
        rate = self.recipe.learning_rate_at(progress.step, self.phase.steps)
        for group in step.optimizer.param_groups:
            group["lr"] = rate
        taken = [self._choose(self.members[number]) for number in self._draw().tolist()]
        count = sum(map(len, taken))
        draws = self.augmentation.draw(count, self.streams.augmentation)
        for images, views, size in self._batches(taken, draws):
            step.multiplicity = size * self.recipe.multiplicity
            seen = self._accumulate(images, views)
            progress.loss_sum += float(seen.losses.sum())
            progress.loss_count += len(seen.losses)
        with self._named(torch.from_numpy(np.concatenate([*taken, np.empty(0, np.int64)]))):
            step.update()
        if self.average is not None:
            self.average.update_parameters(self.model)
        progress.step += 1

    def _draw(self) -> Tensor:
        """Poisson sampling: each group enters the step independently with the accounted rate."""
        drawn = self.streams.sampling.bernoulli(self.phase.groups, self.phase.sampling_rate)
        return drawn.nonzero()[:, 0]

    def _choose(self, members: Positions) -> Positions:
        """At most m of a group's samples, every choice equally likely (ties have odds of 2^-64)."""
        most = self.phase.images_per_group
        if len(members) <= most:
            return members
        keys = self.streams.sampling.words(len(members)).numpy()
        return members[np.sort(np.argsort(keys)[:most])]

    def _batches(
        self, taken: list[Positions], draws: Tensor
    ) -> Iterator[tuple[Tensor, Tensor, int]]:
        """Physical batches of groups of which equally many images are taken.

        Args:
            taken: of each drawn group.
            draws: `(images, M, ...)`, what decides the views of each.

        Yields:
            Positions `(n * size,)`, a group's one after another, their draws, and size.
        """
        sizes = np.array([len(images) for images in taken], dtype=np.int64)
        starts = np.cumsum(sizes) - sizes
        for size in np.unique(sizes).tolist():
            chosen = np.flatnonzero(sizes == size)
            most = self.recipe.physical_batch_size // (self.recipe.multiplicity * size)
            for part in np.split(chosen, range(most, len(chosen), most)):
                rows = (starts[part][:, None] + np.arange(size)).ravel()
                images = np.concatenate([taken[i] for i in part])
                yield torch.from_numpy(images), draws[torch.from_numpy(rows)], size
