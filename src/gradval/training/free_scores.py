"""Scores from what training computes anyway, sample by sample, while it goes on.

Every training step knows the loss of each sample that it drew, private ones know the norm of its
gradient too, and the gradient with respect to the image costs little more (`training.steps`). Each
time that a sample is drawn is one seen. Visits come at random times and see weights that move on,
so these are not the scores of `gradval.scores`, which are taken at fixed checkpoints and stay the
reference.
"""

import torch
from torch import Tensor

from gradval.training.observers import Observer
from gradval.training.steps import SampleObservation


class FreeScores(Observer):
    """Running statistics of the visits to N samples, see `Observer`.

    In memory lie one float32 map of the size of all images, and a few numbers a sample.
    """

    needs_gradients = True

    def __init__(
        self, shape: tuple[int, ...], *, private: bool, device: torch.device | str = "cpu"
    ) -> None:
        names = ["visits", "loss", "squares", *(["grad_norm"] if private else [])]
        self._numbers = {
            name: torch.zeros(shape[0], dtype=torch.float64, device=device) for name in names
        }
        self._means = torch.zeros(shape, dtype=torch.float32, device=device)

    def observe(self, indices: Tensor, seen: SampleObservation) -> None:
        """Take up one visit to each of the samples at `indices`.

        Raises:
            ValueError: the observation lacks input gradients, or norms although the run is private.
        """
        numbers, gradients = self._numbers, seen.input_gradients
        if gradients is None or ("grad_norm" in numbers and seen.norms is None):
            raise ValueError("norms or input gradients are missing: the step must observe")
        indices = indices.to(self._means.device)
        numbers["loss"][indices] = seen.losses.double()
        if seen.norms is not None and "grad_norm" in numbers:
            numbers["grad_norm"][indices] = seen.norms.double()
        count = numbers["visits"][indices] + 1
        numbers["visits"][indices] = count
        # Welford's update. Only the sum over pixels of the squared deviations is wanted, so one
        # number a sample holds it: it grows by (1 - 1/n) times the squared distance to the mean.
        means = self._means[indices]
        deviations = gradients - means
        squares = deviations.flatten(1).square().sum(1)
        numbers["squares"][indices] += (1 - 1 / count) * squares
        means.addcmul_(deviations, (1 / count).to(means)[:, None, None, None])
        self._means[indices] = means

    def scores(self) -> dict[str, Tensor]:
        """The scores by name, each `(N,)` on the CPU, in the order of the samples.

        `visits`: int64, how often the sample was drawn; the others are float64. `loss` and, for
        private runs, `grad_norm`: at the latest visit, NaN without one. `vog`: the variance over
        visits of the gradient of the loss with respect to a pixel, the mean over pixels and
        channels; NaN with fewer than two visits.
        At a fixed number K of visits Eq. 2 of the paper is sqrt(K) times this variance; as K
        differs between samples here, the variance itself is what compares them.
        """
        numbers = {name: values.cpu() for name, values in self._numbers.items()}
        visits, pixels = numbers["visits"], self._means[0].numel()
        nothing = torch.full_like(visits, torch.nan)
        scores: dict[str, Tensor] = {
            name: torch.where(visits >= 1, numbers[name], nothing)
            for name in ("loss", "grad_norm")
            if name in numbers
        }
        scores["vog"] = torch.where(visits >= 2, numbers["squares"] / (visits * pixels), nothing)
        return {"visits": visits.long(), **scores}

    def state_dict(self) -> dict[str, Tensor]:
        """All that `load_state_dict` needs to go on bit by bit."""
        return {**self._numbers, "means": self._means}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        for name, values in self._numbers.items():
            values.copy_(state[name])
        self._means.copy_(state["means"])
