"""The registry of scores, and the one loop over the data that computes any set of them.

A new score is one function of a `ScoringContext`, registered under a name:

    @register_score("input_gradient", order=1)
    def _input_gradient(context: ScoringContext) -> Tensor:
        return context.input_gradients.flatten(1).norm(dim=1)
"""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn
from tqdm import tqdm

from gradval.ghost import SampleGradients, check_labels, check_separable, sample_gradients
from gradval.scores.batching import choose_batch_size
from gradval.scores.evaluation import evaluating, reference_tensor
from gradval.scores.validation import Images, check_images, check_lengths, check_scores

logger = logging.getLogger("gradval")


@dataclass(frozen=True)
class ScoreOptions:
    """Options of the scores; see `plis_scores` and `vog_scores`.

    Attributes:
        sigma: standard deviation of the noise in PLIS, positive.
        vog_target: "loss" or "logit".
        vog_statistic: "printed" or "std".
        vog_channels: "separate" or "averaged".

    Raises:
        ValueError: an option has another value.
    """

    sigma: float = 1.0
    vog_target: str = "loss"
    vog_statistic: str = "printed"
    vog_channels: str = "separate"

    def __post_init__(self) -> None:
        if not 0 < self.sigma < math.inf:
            raise ValueError(f"sigma is {self.sigma}, but must be positive and finite")
        for name, known in (
            ("vog_target", ("loss", "logit")),
            ("vog_statistic", ("printed", "std")),
            ("vog_channels", ("separate", "averaged")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}, but must be {known[0]!r} or {known[1]!r}"
                )


@dataclass(frozen=True)
class ScoringContext:
    """What a score may draw on for one batch of N samples.

    Attributes:
        model: the final model, in evaluation mode.
        checkpoints: the K models of VoG, in the order of training; may be empty.
        images: `(N, C, H, W)`, N > 0, on the model's device and in its dtype.
        labels: `(N,)` int64.
        options: options of the scores.
        order: how deep the pass goes (`gradval.ghost.sample_gradients`): the highest order of the
            scores asked for.
    """

    model: nn.Module
    checkpoints: Iterable[nn.Module]
    images: Tensor
    labels: Tensor
    options: ScoreOptions
    order: int

    @cached_property
    def gradients(self) -> SampleGradients:
        """The one pass that the scores share, run for whoever asks first."""
        return sample_gradients(self.model, self.images, self.labels, self.order)

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
        raise ValueError(f"register the score with order={order} or more: it uses such a quantity")
    return quantity


ScoreFunction = Callable[[ScoringContext], Tensor]


@dataclass(frozen=True)
class Score:
    """A registered score.

    Attributes:
        name: key and column name.
        function: maps a context to one number a sample, `(N,)`.
        order: order of the pass that it needs.
    """

    name: str
    function: ScoreFunction = field(repr=False)
    order: int


SCORES: dict[str, Score] = {}


def register_score(name: str, order: int) -> Callable[[ScoreFunction], ScoreFunction]:
    """Decorator that adds a score to the registry.

    Args:
        name: key of the score, not yet taken.
        order: 0 if it needs losses only, 1 for gradients too, 2 for susceptibilities too.

    Raises:
        ValueError: the name is taken.
    """

    if name in SCORES:
        raise ValueError(f"score {name!r} is registered already")

    def register(function: ScoreFunction) -> ScoreFunction:
        SCORES[name] = Score(name, function, order)
        return function

    return register


def compute_scores(
    names: Sequence[str],
    model: nn.Module,
    checkpoints: Iterable[nn.Module],
    images: Images,
    labels: Tensor,
    options: ScoreOptions,
    batch_size: int | None,
    progress: bool,
) -> dict[str, Tensor]:
    """Scores of every sample by name, each `(N,)` on the CPU in the model's dtype."""
    scores = [_look_up(name) for name in names]
    check_lengths(images, labels)
    check_separable(model)
    order = max((score.order for score in scores), default=0)
    dtype = reference_tensor(model).dtype
    # Made at once: small results that stay among large ones that go would fragment the memory.
    found = {name: torch.empty(len(labels), dtype=dtype) for name in names}
    with evaluating(model):
        for start, batch, batch_labels in _batches(
            model, images, labels, order, batch_size, progress
        ):
            context = ScoringContext(model, checkpoints, batch, batch_labels, options, order)
            for score in scores:
                values = score.function(context).detach()
                check_scores(score.name, values, len(batch), start)
                found[score.name][start : start + len(batch)] = values
    return found


def _look_up(name: str) -> Score:
    if name not in SCORES:
        raise ValueError(f"unknown score {name!r}; known are {', '.join(SCORES)}")
    return SCORES[name]


def _batches(
    model: nn.Module,
    images: Images,
    labels: Tensor,
    order: int,
    batch_size: int | None,
    progress: bool,
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Start index, images and labels of each batch, on the model's device and in its dtype."""
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, but must be at least 1")
    if len(labels) == 0:
        return
    like = reference_tensor(model)
    first = images[0:1]
    check_images(first)
    first = first.to(like)
    with torch.no_grad():
        check_labels(labels, model(first.clone()).shape[1])
    size = batch_size or choose_batch_size(model, first, order)
    logger.info("scoring in batches of %d", size)
    for start in tqdm(
        range(0, len(labels), size), desc="scoring", unit="batch", disable=not progress
    ):
        batch = images[start : start + size]
        check_images(batch, start)
        batch_labels = labels[start : start + size].to(like.device, torch.int64)
        yield start, batch.to(like), batch_labels


def reiterable(checkpoints: Iterable[nn.Module]) -> Iterable[nn.Module]:
    """The checkpoints as something that can be iterated over once a batch.

    Raises:
        ValueError: a one-shot iterator gives the same module twice, so that its weights at the
            first time are lost.
    """
    if iter(checkpoints) is not checkpoints:
        return checkpoints
    modules = list(checkpoints)
    if len({id(module) for module in modules}) < len(modules):
        raise ValueError(
            "a one-shot iterator of checkpoints gives the same module more than once; pass a "
            "sequence that loads the weights anew each time it is iterated over"
        )
    return modules
