"""Parts of a scoring that are done, on disk, so that what is interrupted goes on."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from gradval.ghost import check_separable
from gradval.runtime.files import private_path, read_json
from gradval.scores.batching import choose_batch_size
from gradval.scores.compute import compute_scores
from gradval.scores.evaluation import evaluating, reference_tensor
from gradval.scores.registry import Score, ScoreOptions
from gradval.scores.samples import Samples
from gradval.scores.validation import check_images

# So many samples at least are kept as one part.
LEAST_PART = 32


def compute_in_parts(
    scores: Mapping[str, Score],
    model: nn.Module,
    checkpoints: Iterable[nn.Module],
    samples: Samples,
    *,
    options: Mapping[str, ScoreOptions],
    sigma: float,
    batch_size: int | None,
    progress: bool,
    folder: Path | None,
) -> tuple[dict[str, Tensor], Tensor]:
    """As `compute_scores`, with the same bits, but what is interrupted goes on.

    Args:
        scores, model, checkpoints, options, sigma, batch_size: as in `score_samples`.
        samples: what is scored.
        progress: whether to show a progress bar.
        folder: for finished parts, removed at the end; `None` to keep none.

    Returns:
        Scores by name, and the labels, each `(N,)` on the CPU.

    Raises:
        ValueError: as `score_samples`.
    """
    parts = Parts(folder, "")
    if folder is not None:
        parts.question = _question(model, checkpoints, options, sigma)
    first = samples.first_image()
    size = parts.batch_size(batch_size or _fitting_batch(model, first, scores))
    found: list[NDArray[Any]] = []
    labels: list[Tensor] = []
    with tqdm(total=len(samples), desc="scoring", unit="image", disable=not progress) as bar:
        for start, images, part_labels in samples.chunks(size * -(-LEAST_PART // size)):
            name = "" if folder is None else parts.name(start, images, part_labels)
            values = parts.read(name)
            if values is None:
                by_name = compute_scores(
                    scores,
                    model,
                    checkpoints,
                    images,
                    part_labels,
                    options=options,
                    sigma=sigma,
                    batch_size=size,
                    progress=False,
                    first=start,
                )
                values = np.stack([by_name[score].numpy() for score in scores])
                parts.keep(name, values)
            found.append(values)
            labels.append(part_labels.cpu().to(torch.int64))
            bar.update(len(part_labels))
    parts.remove()
    together = torch.from_numpy(np.concatenate(found, axis=1))
    return dict(zip(scores, together, strict=True)), torch.cat(labels)


def _question(
    model: nn.Module,
    checkpoints: Iterable[nn.Module],
    options: Mapping[str, ScoreOptions],
    sigma: float,
) -> str:
    return question_of(
        model,
        checkpoints,
        {
            "scores": {name: option.model_dump() for name, option in options.items()},
            "sigma": sigma,
            "device": str(next(model.parameters()).device),
        },
    )


def _fitting_batch(model: nn.Module, first: Tensor, scores: Mapping[str, Score]) -> int:
    order = max((score.order for score in scores.values()), default=0)
    check_images(first)
    with evaluating(model) as plain:
        check_separable(plain)
        return choose_batch_size(plain, first.to(reference_tensor(plain)), order)


class Parts:
    """A folder of finished parts, each under a digest of all that it depends on.

    A part is found again only by whoever asks for the same scores of the same samples by the same
    weights; anything else lies there unnoticed until the folder is removed.

    Args:
        folder: made when the first part is kept; `None` to keep nothing.
        question: digest of all that the parts have in common; see `question_of`.
    """

    def __init__(self, folder: Path | None, question: str) -> None:
        self.folder, self.question = folder, question

    def batch_size(self, found: int) -> int:
        """The size of batches, as it was at the first attempt: rounding depends on it."""
        if self.folder is None:
            return found
        path = self.folder / f"{self.question[:32]}.json"
        if path.is_file():
            return int(read_json(path)["batch_size"])
        with private_path(path) as temporary:
            temporary.write_text(json.dumps({"batch_size": found}), encoding="utf-8")
        return found

    def name(self, start: int, images: Tensor, labels: Tensor) -> str:
        """Name of the part of these samples; `start` is the index of the first."""
        digest = hashlib.sha256(f"{self.question} {start}".encode())
        for tensor in (images, labels):
            digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:32]

    def read(self, name: str) -> NDArray[Any] | None:
        """A finished part, `None` if there is none."""
        if self.folder is None or not (path := self.folder / f"{name}.npy").is_file():
            return None
        found: NDArray[Any] = np.load(path)
        return found

    def keep(self, name: str, values: NDArray[Any]) -> None:
        """Keep a finished part."""
        if self.folder is not None:
            with private_path(self.folder / f"{name}.npy") as temporary:
                np.save(temporary, values)

    def remove(self) -> None:
        """Remove all parts: the whole is done."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def question_of(
    model: nn.Module, checkpoints: Iterable[nn.Module], others: Mapping[str, Any]
) -> str:
    """Digest of a model, its checkpoints and plain values by their names."""
    digest = hashlib.sha256(json.dumps(dict(others), sort_keys=True, default=str).encode())
    digest.update(f"{torch.__version__} {model}".encode())
    _update(digest, model)
    for checkpoint in checkpoints:
        _update(digest, checkpoint)
    return digest.hexdigest()


def _update(digest: Any, module: nn.Module) -> None:
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        values = tensor.detach().cpu().contiguous()
        digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
