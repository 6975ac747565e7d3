"""The hyper-parameters of a training run."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; the keys of a `training` block of the config.

    Attributes:
        epochs: expected passes over the data of a full run.
        first_epochs: of the first phase, before pruning.
        second_epochs: of the second phase, after pruning, on what is left.
        batch_size: expected number of samples a step (Poisson sampling).
        physical_batch_size: images held in memory at a time, every view of a sample being one;
            does not change the result.
        learning_rate: of SGD, the highest.
        schedule: `constant`, or `cosine` down to zero at the end of each phase.
        warmup: share of the steps of each phase, in [0, 1), over which the learning rate rises
            linearly to what the schedule says.
        momentum: of SGD, in [0, 1).
        weight_decay: L2 penalty of SGD.
        ema_decay: decay of the exponential moving average of the weights, which is then what is
            evaluated, kept and scored; 0 for none.
        clipping_norm: L2 norm to which each sample's gradient is clipped (private runs).
        clipping: how it is clipped: `bookkeeping`, or Opacus's `hooks`, `ghost` or `functorch`;
            does not change the result.
        checkpoints: number K of checkpoints for VoG, spread evenly, the last at the end.
        augmentation: `none`, `flip` or `flip-crop`; see `gradval.training.augmentation`.
        multiplicity: augmented views of a sample each time that it is drawn; their gradients are
            averaged, in private runs before clipping.
    """

    epochs: float
    first_epochs: float
    second_epochs: float
    batch_size: int
    physical_batch_size: int
    learning_rate: float
    schedule: str
    warmup: float
    momentum: float
    weight_decay: float
    ema_decay: float
    clipping_norm: float
    clipping: str
    checkpoints: int
    augmentation: str = "none"
    multiplicity: int = 1

    @classmethod
    def from_config(cls, options: Mapping[str, Any]) -> Self:
        """Build a recipe from a resolved `training` block.

        Raises:
            ValueError: a key is missing or unknown.
        """
        names = {field.name for field in fields(cls)}
        required = {field.name for field in fields(cls) if field.default is MISSING}
        for key in sorted(required - set(options)):
            raise ValueError(f"training: {key} is missing")
        for key in sorted(set(options) - names):
            raise ValueError(f"training: unknown key {key}; known are {', '.join(sorted(names))}")
        return cls(**options)

    def check(self, *, private: bool, free_scores: bool) -> None:
        """Find hyper-parameters that do not go together.

        Args:
            private: whether the run is DP-SGD.
            free_scores: whether it collects scores on the way.

        Raises:
            ValueError: one line that names the keys.
        """
        views = self.multiplicity
        if views > 1 and self.augmentation == "none":
            raise ValueError(
                f"multiplicity is {views}, but without augmentation all views are the same; set "
                "augmentation to flip or flip-crop"
            )
        if views > self.physical_batch_size:
            raise ValueError(
                f"physical_batch_size is {self.physical_batch_size}, but must hold the {views} "
                "views (multiplicity) of at least one sample"
            )
        if views > 1 and private and self.clipping == "ghost":
            raise ValueError(
                f"clipping is ghost, which clips every view by itself; with multiplicity {views} "
                "use bookkeeping, hooks or functorch"
            )
        if free_scores and self.augmentation != "none":
            raise ValueError(
                "free scores (scores.free) are of the images themselves; they need augmentation "
                f"none, not {self.augmentation}"
            )

    def learning_rate_at(self, step: int, steps: int) -> float:
        """Learning rate of step `step`, from 0, of `steps`."""
        rate = self.learning_rate
        if self.schedule == "cosine":
            rate *= (1 + math.cos(math.pi * step / steps)) / 2
        rising = self.warmup * steps
        return rate * min(1.0, (step + 1) / (rising + 1))


def check_grouping(recipe: Recipe, images_per_group: int) -> None:
    """Find hyper-parameters that do not go together with groups as units of private training.

    Args:
        recipe: of the training.
        images_per_group: at most so many images of a group enter its gradient.

    Raises:
        ValueError: one line that names the keys.
    """
    if recipe.clipping == "ghost":
        raise ValueError(
            "clipping is ghost, which clips every image by itself; with privacy.unit group use "
            "bookkeeping, hooks or functorch"
        )
    rows = images_per_group * recipe.multiplicity
    if rows > recipe.physical_batch_size:
        raise ValueError(
            f"physical_batch_size is {recipe.physical_batch_size}, but must hold the {rows} images "
            "of one group (privacy.images_per_group times multiplicity)"
        )


def derive_seed(*parts: str | int) -> int:
    """A 63-bit seed that depends on every part, for streams that must be independent."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
