"""The one loop over the data that computes any set of scores."""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from gradval.ghost import check_labels, check_separable, choose_way, forward
from gradval.models.plain import plain_model
from gradval.scores.batching import choose_batch_size
from gradval.scores.context import ScoringContext
from gradval.scores.evaluation import evaluating, reference_tensor
from gradval.scores.registry import (
    Score,
    ScoreOptions,
    choices_by_name,
    load_score,
    options_of,
    score_name,
)
from gradval.scores.validation import Images, check_images, check_lengths, check_scores

logger = logging.getLogger("gradval")


def score_samples(
    model: nn.Module,
    checkpoints: Iterable[nn.Module],
    images: Images,
    labels: Tensor,
    scores: Sequence[str] = ("loss", "grad_norm", "vog", "plis"),
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    sigma: float = 1.0,
    batch_size: int | None = None,
    progress: bool = False,
) -> dict[str, Tensor]:
    """Any set of scores of every sample; loss, gradient norm and PLIS share one pass.

    Args:
        model: the final model, mapping `(N, C, H, W)` to logits `(N, K)`; run in evaluation mode
            and left as it was.
        checkpoints: the checkpoints of VoG in the order of training, as in `vog_scores`; may be
            empty if VoG is not asked for. A sequence that loads them one by one must load them
            into a module other than `model`.
        images: `(N, C, H, W)` floating, or an object that loads such slices; not augmented.
        labels: `(N,)` integers in `0..K-1`.
        scores: names in `SCORES`, or import paths of your own; see `gradval.scores.registry`.
        options: name of a score -> its options that are not the defaults, such as
            `{"vog": {"target": "logit"}}`.
        sigma: as in `plis_scores`.
        batch_size: samples at a time; `None` for as many as fit. Does not change the result.
        progress: whether to show a progress bar.

    Returns:
        For each score, by name, `(N,)` on the CPU in the model's dtype; empty for no samples.

    Raises:
        ValueError: an unknown score or option, fewer than two checkpoints for VoG, the model mixes
            samples or has no parameter that requires gradients, the input is not of
            these shapes, types and ranges or not finite, or a score is not finite.
    """
    checkpoints = reiterable(checkpoints)
    first_two = list(islice(checkpoints, 2))
    if len(first_two) == 2 and all(checkpoint is model for checkpoint in first_two):
        raise ValueError("the checkpoints are loaded into the model itself; use another module")
    chosen = choices_by_name(scores)
    for name in options or {}:
        if name not in chosen:
            raise ValueError(f"options of {name!r}, which is not among the scores")
    return compute_scores(
        {name: load_score(choice) for name, choice in chosen.items()},
        model,
        checkpoints,
        images,
        labels,
        options={
            name: options_of(choice, (options or {}).get(name)) for name, choice in chosen.items()
        },
        sigma=sigma,
        batch_size=batch_size,
        progress=progress,
    )


def compute_score(
    choice: str,
    model: nn.Module,
    images: Images,
    labels: Tensor,
    *,
    checkpoints: Iterable[nn.Module] = (),
    options: Mapping[str, Any] | None = None,
    sigma: float = 1.0,
    batch_size: int | None = None,
    progress: bool = False,
) -> Tensor:
    """A single score; see `score_samples`."""
    name = score_name(choice)
    return compute_scores(
        {name: load_score(choice)},
        model,
        checkpoints,
        images,
        labels,
        options={name: options_of(choice, options)},
        sigma=sigma,
        batch_size=batch_size,
        progress=progress,
    )[name]


def compute_scores(
    scores: Mapping[str, Score],
    model: nn.Module,
    checkpoints: Iterable[nn.Module],
    images: Images,
    labels: Tensor,
    *,
    options: Mapping[str, ScoreOptions],
    sigma: float,
    batch_size: int | None,
    progress: bool,
    first: int = 0,
) -> dict[str, Tensor]:
    """Scores of every sample by name, each `(N,)` on the CPU in the model's dtype.

    `first` is the index of the first sample, for messages.
    """
    if not 0 < sigma < math.inf:
        raise ValueError(f"sigma is {sigma}, but must be positive and finite")
    check_lengths(images, labels)
    check_distinct(checkpoints)
    order = max((score.order for score in scores.values()), default=0)
    with evaluating(model) as plain:
        check_separable(plain)
        dtype = reference_tensor(plain).dtype
        # Made at once: small results that stay among large ones that go would fragment the memory.
        found = {name: torch.empty(len(labels), dtype=dtype, device="cpu") for name in scores}
        for start, batch, batch_labels in _batches(
            plain, images, labels, order, batch_size, progress, first
        ):
            index = first + start
            context = ScoringContext(plain, checkpoints, batch, batch_labels, sigma, order, index)
            for name, score in scores.items():
                values = score.function(context, options[name]).detach()
                check_scores(name, values, len(batch), index)
                found[name][start : start + len(batch)] = values
    return found


def _batches(
    model: nn.Module,
    images: Images,
    labels: Tensor,
    order: int,
    batch_size: int | None,
    progress: bool,
    offset: int,
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Start index, images and labels of each batch, on the model's device and in its dtype."""
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, but must be at least 1")
    if len(labels) == 0:
        return
    like = reference_tensor(model)
    first = images[0:1]
    check_images(first, offset)
    first = _normal(first.to(like))
    with torch.no_grad():
        check_labels(labels, forward.logits(model, first).shape[1], offset)
    # A model that cannot be scored is refused before a whole batch is spent on it.
    choose_way(model, first, order)
    size = batch_size or choose_batch_size(model, first, order)
    if not offset:
        logger.info("scoring in batches of %d", size)
    for start in tqdm(
        range(0, len(labels), size), desc="scoring", unit="batch", disable=not progress
    ):
        batch = images[start : start + size]
        check_images(batch, offset + start)
        batch_labels = labels[start : start + size].to(like.device, torch.int64)
        yield start, _normal(batch.to(like)), _normal(batch_labels)


def _normal(tensor: Tensor) -> Tensor:
    """The tensor, or a copy that autograd can record if it was made in inference mode."""
    return tensor.clone() if tensor.is_inference() else tensor


def check_distinct(checkpoints: Iterable[nn.Module]) -> None:
    """Refuse a list that holds one module several times; what loads weights anew is no list.

    Raises:
        ValueError: two checkpoints of a list, tuple or module list have the same parameters.
    """
    if not isinstance(checkpoints, (list, tuple, nn.ModuleList)):
        return
    known: dict[int, int] = {}
    for index, checkpoint in enumerate(checkpoints):
        parameter = next(plain_model(checkpoint).parameters())
        if known.setdefault(id(parameter), index) != index:
            raise ValueError(
                f"checkpoints {known[id(parameter)]} and {index} are one and the same module, with "
                "the weights of its last step: keep copy.deepcopy(model) of each step"
            )


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
