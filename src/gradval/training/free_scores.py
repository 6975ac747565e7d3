"""Scores from what training computes anyway, sample by sample, while it goes on.

Every training step knows the loss of each sample that it drew, private ones know the norm of its
gradient too, and the gradient with respect to the image costs little more (`training.steps`). Each
time that a sample is drawn is one visit. Visits come at random times and see weights that move on,
so these are not the scores of `gradval.scores`, which are taken at fixed checkpoints and stay the
reference.
"""

import torch
from torch import Tensor

from gradval.training.steps import Visit


class FreeScores:
    """Running statistics of the visits to N samples.

    In memory lie one float32 map of the size of all images, and a few numbers a sample.

    Args:
        shape: `(N, C, H, W)` of the training images.
        norms: whether visits come with gradient norms.
        device: where the statistics are held.
    """

    def __init__(
        self, shape: tuple[int, ...], *, norms: bool, device: torch.device | str = "cpu"
    ) -> None:
        names = ["visits", "loss", "squares", *(["grad_norm"] if norms else [])]
        self._numbers = {
            name: torch.zeros(shape[0], dtype=torch.float64, device=device) for name in names
        }
        self._means = torch.zeros(shape, dtype=torch.float32, device=device)

    def add(self, indices: Tensor, visit: Visit) -> None:
        """Take up one visit to each of the samples at `indices`, `(n,)`, all of them different.

        Raises:
            ValueError: the visit lacks input gradients, or norms that were announced.
        """
        numbers, gradients = self._numbers, visit.input_gradients
        if gradients is None or ("grad_norm" in numbers and visit.norms is None):
            raise ValueError("the visit lacks norms or input gradients: the step must observe")
        indices = indices.to(self._means.device)
        numbers["loss"][indices] = visit.losses.double()
        if visit.norms is not None and "grad_norm" in numbers:
            numbers["grad_norm"][indices] = visit.norms.double()
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
        """The scores by name, each `(N,)` float64 on the CPU, in the order of the samples.

        `visits`: how often the sample was drawn. `loss` and, for private runs, `grad_norm`: at the
        latest visit, NaN without one. `vog`: the variance over visits of the gradient of the loss
        with respect to a pixel, the mean over pixels and channels; NaN with fewer than two visits.
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
        return {"visits": visits, **scores}

    def state_dict(self) -> dict[str, Tensor]:
        """All that `load_state_dict` needs to go on bit by bit."""
        return {**self._numbers, "means": self._means}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        for name, values in self._numbers.items():
            values.copy_(state[name])
        self._means.copy_(state["means"])
