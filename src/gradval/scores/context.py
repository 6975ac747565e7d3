"""What a score may draw on."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor, nn

from gradval.ghost import SampleGradients, sample_gradients


@dataclass(frozen=True)
class ScoringContext:
    """What a score may draw on for one batch of N samples.

    Attributes:
        model: the final model, in evaluation mode.
        checkpoints: the K models of VoG, in the order of training; may be empty.
        images: `(N, C, H, W)`, N > 0, on the model's device and in its dtype.
        labels: `(N,)` int64.
        sigma: standard deviation of the noise on the gradient sum that the model was trained with:
            noise multiplier times clipping norm, 1 for none.
        order: how deep the pass goes (`gradval.ghost.sample_gradients`): the highest order of the
            scores asked for.
        first: index of the first sample, for messages.
    """

    model: nn.Module
    checkpoints: Iterable[nn.Module]
    images: Tensor
    labels: Tensor
    sigma: float
    order: int
    first: int = 0

    @cached_property
    def gradients(self) -> SampleGradients:
        """The one pass that the scores share, run for whoever asks first."""
        return sample_gradients(self.model, self.images, self.labels, self.order, first=self.first)

    @property
    def logits(self) -> Tensor:
        """`(N, K)`."""
        return self.gradients.logits

    @property
    def losses(self) -> Tensor:
        """Cross-entropy `(N,)` in nats."""
        return self.gradients.losses

    @property
    def squared_norms(self) -> Tensor:
        """Squared norms `(N,)` of the gradients with respect to the parameters; order 1."""
        return _required(self.gradients.squared_norms, 1)

    @property
    def input_gradients(self) -> Tensor:
        """Gradients of the loss with respect to the images, `(N, C, H, W)`; order 1."""
        return _required(self.gradients.input_gradients, 1)

    @property
    def susceptibilities(self) -> Tensor:
        """Gradients of `squared_norms` with respect to the images, `(N, C, H, W)`; order 2."""
        return _required(self.gradients.susceptibilities, 2)


def _required(quantity: Tensor | None, order: int) -> Tensor:
    if quantity is None:
        raise ValueError(f"declare the score with order={order} or more: it uses such a quantity")
    return quantity
