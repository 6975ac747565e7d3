"""Observers of training: what is learnt about samples from the steps that are taken anyway.

An observer is named by argument, sees every physical batch and every checkpoint, and changes
nothing: the weights do not depend on who observes. Its state is saved with the run's. To add one,
write a subclass in a module of its own and name it in `make_observer`.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from gradval.training.steps import SampleObservation


class Observer(ABC):
    """One look at the N training samples of a run.

    Args:
        shape: `(N, C, H, W)` of the training images.
        private: whether the run is DP-SGD, whose steps know the norms of gradients.
        device: of the model.

    Attributes:
        needs_gradients: whether what is seen must hold gradients with respect to the images, and in
            private runs their norms; of losses alone the steps know without more work.
    """

    needs_gradients: ClassVar[bool] = False

    @abstractmethod
    def __init__(
        self, shape: tuple[int, ...], *, private: bool, device: torch.device | str = "cpu"
    ) -> None: ...

    @abstractmethod
    def observe(self, indices: Tensor, seen: SampleObservation) -> None:
        """Take up one physical batch.

        Args:
            indices: `(n,)` int64, which of the N samples it holds, all of them different.
            seen: what the step learnt about them, before the update.
        """

    def at_checkpoint(self, step: int, model: nn.Module, learning_rate: float) -> None:  # noqa: B027
        """Look at the weights of a checkpoint; by default nothing is done.

        Args:
            step: number of steps taken.
            model: with the weights that are kept; not to be changed.
            learning_rate: of the last step.
        """

    @abstractmethod
    def scores(self) -> dict[str, Tensor]:
        """What was found, by name: `(N,)` numbers on the CPU, in the order of the samples."""

    @abstractmethod
    def state_dict(self) -> dict[str, Tensor]:
        """All that `load_state_dict` needs to go on bit by bit."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""


def make_observer(
    name: str, shape: tuple[int, ...], *, private: bool, device: torch.device | str = "cpu"
) -> Observer:
    """The observer called `name`; the other arguments are those of `Observer`.

    Raises:
        ValueError: there is none of this name.
    """
    # Imported here: each of them imports this module.
    from gradval.training.free_scores import FreeScores

    known: dict[str, type[Observer]] = {"free_scores": FreeScores}
    if name not in known:
        raise ValueError(f"unknown observer {name!r}; known are {', '.join(known)}")
    return known[name](shape, private=private, device=device)
