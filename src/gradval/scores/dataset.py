"""Scores of a whole dataset as a table: the Python side of `gradval score`."""

import copy
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor, nn

from gradval.models.state_dicts import StateDicts
from gradval.scores.class_normalisation import normalise_per_class
from gradval.scores.compute import check_distinct, reiterable
from gradval.scores.constant_answer import ConstantAnswer, against_constant_answer
from gradval.scores.context import ScoringContext
from gradval.scores.files import NORMALISED
from gradval.scores.parts import compute_in_parts
from gradval.scores.registry import (
    Score,
    ScoreOptions,
    choices_by_name,
    load_score,
    options_of,
)
from gradval.scores.samples import Samples, as_samples

logger = logging.getLogger("gradval")

PAPER_SCORES = ("loss", "grad_norm", "vog", "plis")
# Columns that are no scores; a score of such a name is refused.
COLUMNS = ("file", "label", "group", "predicted")


def score_dataset(
    model: nn.Module,
    dataset: Any,
    checkpoints: Iterable[nn.Module] | Sequence[str | Path] = (),
    scores: Sequence[str] = PAPER_SCORES,
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    sigma: float = 1.0,
    normalisation: str = "minmax",
    classes: Sequence[str] | None = None,
    files: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    batch_size: int | None = None,
    progress: bool = False,
    resume: str | Path | None = None,
) -> pd.DataFrame:
    """Score every sample of a dataset.

    A model that is no better than the constant answer is warned of by the logger `gradval`.

    Args:
        model: the final model, mapping `(N, C, H, W)` to logits `(N, K)`, on the device where it is
            to be scored; run in evaluation mode and left as it was.
        dataset: a map-style `torch.utils.data.Dataset` of image `(C, H, W)` floating, not
            augmented, and label; a DataLoader, of which the dataset is taken in its own order; or a
            pair of images `(N, C, H, W)` and labels `(N,)`.
        checkpoints: the checkpoints of VoG in the order of training: modules, or files of state
            dicts of this model (`gradval.find_checkpoints` finds and sorts
            them). None are needed without VoG.
        scores: names in `gradval.scores.SCORES`, or import paths of your own.
        options: name of a score -> its options that are not the defaults.
        sigma: standard deviation of the noise on the gradient sum that the model was trained with;
            1 for none. PLIS is divided by its square.
        normalisation: within each class, "minmax" or "zscore".
        classes: name of each class; labels stay integers without.
        files: a name of each sample; by default those of an ImageFolder, or positions.
        groups: a group of each sample, such as a patient; by default each is its own.
        batch_size: samples at a time; `None` for as many as fit.
        progress: whether to show a progress bar.
        resume: a folder for finished parts. If an interrupted call is made again it goes on where
            it stopped, with the same result to the bit on the same machine; the folder is removed
            at the end.

    Returns:
        One row a sample in the order of the dataset: file, label, group, predicted, then for each
        score `<score>` (float, higher = more) and `<score>_normalised`.

    Raises:
        ValueError: an unknown score or option, fewer than two checkpoints for VoG, a model that
            mixes samples, samples that are not as above, a diverged model; one line.
    """
    table, answer = score_and_judge(
        model,
        as_samples(dataset),
        checkpoints,
        scores,
        options=options,
        sigma=sigma,
        normalisation=normalisation,
        classes=classes,
        files=files,
        groups=groups,
        batch_size=batch_size,
        progress=progress,
        resume=resume,
    )
    if not answer.better:
        name = answer.constant_label if classes is None else classes[answer.constant_label]
        logger.warning(answer.sentence(str(name)))
    return table


def score_and_judge(
    model: nn.Module,
    samples: Samples,
    checkpoints: Iterable[nn.Module] | Sequence[str | Path] = (),
    scores: Sequence[str] = PAPER_SCORES,
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    sigma: float = 1.0,
    normalisation: str = "minmax",
    classes: Sequence[str] | None = None,
    files: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    batch_size: int | None = None,
    progress: bool = False,
    resume: str | Path | None = None,
) -> tuple[pd.DataFrame, ConstantAnswer]:
    """As `score_dataset`, and the model beside the constant answer."""
    chosen = _chosen(scores)
    checkpoints = _as_modules(checkpoints, model)
    if "vog" in chosen and len(found := list(_first_two(checkpoints))) < 2:
        raise ValueError(
            f"vog needs at least 2 checkpoints, but there are {len(found)}: give more, or other "
            "scores, such as loss,grad_norm,plis"
        )
    names = [str(name) for name in (samples.files() if files is None else files)]
    table = pd.DataFrame({"file": names})
    _check_length("files", names, samples)
    values, labels = _score(
        {name: load_score(choice) for name, choice in chosen.items()},
        {name: options_of(choice, (options or {}).get(name)) for name, choice in chosen.items()},
        model,
        checkpoints,
        samples,
        sigma=sigma,
        batch_size=batch_size,
        progress=progress,
        folder=None if resume is None else Path(resume),
    )
    predicted = values.pop("predicted").astype(np.int64)
    answer = against_constant_answer(values["loss"], predicted, labels)
    table["label"] = _named(labels, classes)
    if groups is not None:
        _check_length("groups", groups, samples)
    table["group"] = names if groups is None else [str(group) for group in groups]
    table["predicted"] = _named(predicted, classes)
    for name in chosen:
        table[name] = values[name]
        table[name + NORMALISED] = normalise_per_class(values[name], labels, normalisation)
    return table, answer


def _chosen(scores: Sequence[str]) -> dict[str, str]:
    chosen = choices_by_name(scores)
    if not chosen:
        raise ValueError("there must be at least one score")
    for name, choice in chosen.items():
        if name in COLUMNS:
            raise ValueError(f"score {choice!r}: the table has a column {name!r} already")
    return chosen


def _as_modules(checkpoints: Any, model: nn.Module) -> Iterable[nn.Module]:
    if isinstance(checkpoints, (str, Path)):
        checkpoints = [checkpoints]
    if isinstance(checkpoints, Sequence) and checkpoints:
        files = [isinstance(checkpoint, (str, Path)) for checkpoint in checkpoints]
        if all(files):
            return StateDicts(checkpoints, copy.deepcopy(model))
        if any(files):
            raise ValueError("checkpoints must be all modules or all files of state dicts")
    modules: Iterable[nn.Module] = reiterable(checkpoints)
    check_distinct(modules)
    return modules


def _first_two(checkpoints: Iterable[nn.Module]) -> Iterable[nn.Module]:
    return (checkpoint for _, checkpoint in zip(range(2), checkpoints, strict=False))


def _check_length(what: str, given: Sequence[str], samples: Samples) -> None:
    if len(given) != len(samples):
        raise ValueError(f"{len(samples)} samples, but {len(given)} {what}")


def _named(labels: NDArray[np.int64], classes: Sequence[str] | None) -> Any:
    if classes is None:
        return labels
    # A model may have more outputs than the data have classes.
    names = dict(enumerate(classes))
    return [names.get(int(label), str(label)) for label in labels]


def _predicted(context: ScoringContext, _: ScoreOptions) -> Tensor:
    return context.logits.argmax(1).to(context.logits.dtype)


def _score(
    scores: Mapping[str, Score],
    options: Mapping[str, ScoreOptions],
    model: nn.Module,
    checkpoints: Iterable[nn.Module],
    samples: Samples,
    *,
    sigma: float,
    batch_size: int | None,
    progress: bool,
    folder: Path | None,
) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
    """Scores by name, `loss` and `predicted` among them, and labels, each `(N,)`."""
    # Free, as the pass gives the logits anyway.
    wanted = {"loss": load_score("loss"), "predicted": Score(_predicted, order=0), **scores}
    found, labels = compute_in_parts(
        wanted,
        model,
        checkpoints,
        samples,
        options={"loss": ScoreOptions(), "predicted": ScoreOptions(), **options},
        sigma=sigma,
        batch_size=batch_size,
        progress=progress,
        folder=folder,
    )
    return {name: values.numpy() for name, values in found.items()}, labels.numpy()
