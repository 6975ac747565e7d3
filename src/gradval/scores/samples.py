"""What is scored, chunk by chunk: tensors, a map-style dataset or what a DataLoader draws from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from gradval.scores.validation import Images, check_images, check_lengths

# Under which keys a dictionary holds image and label.
IMAGE_KEYS = ("image", "images", "pixel_values", "img", "x")
LABEL_KEYS = ("label", "labels", "target", "targets", "y")


class Samples(Protocol):
    """Images and labels in a fixed order."""

    def __len__(self) -> int: ...

    def first_image(self) -> Tensor:
        """`(1, C, H, W)`.

        Raises:
            ValueError: it is not the same each time.
        """
        ...

    def chunks(self, size: int) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Index of the first sample, images `(n, C, H, W)` and labels `(n,)`, n <= size."""
        ...

    def files(self) -> list[str]:
        """A name of each sample."""
        ...


class TensorSamples:
    """Images and labels that are at hand.

    Args:
        images: `(N, C, H, W)` floating, or an object that loads such slices.
        labels: `(N,)` integers.
    """

    def __init__(self, images: Images, labels: Tensor) -> None:
        check_lengths(images, labels)
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.labels)

    def first_image(self) -> Tensor:
        return self.images[0:1]

    def chunks(self, size: int) -> Iterator[tuple[int, Tensor, Tensor]]:
        for start in range(0, len(self), size):
            yield start, self.images[start : start + size], self.labels[start : start + size]

    def files(self) -> list[str]:
        return [str(i) for i in range(len(self))]


class DatasetSamples:
    """The samples of a map-style dataset, in its order.

    Args:
        dataset: gives image and label at an index: first and second of a sequence, or `image` and
            `label` of a dictionary.
        collate: makes a batch of several samples.
        workers: processes that load.
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        collate: Callable[[list[Any]], Any] | None = None,
        workers: int = 0,
    ) -> None:
        self.dataset, self.collate, self.workers = dataset, collate, workers

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def first_image(self) -> Tensor:
        (first, _), (again, _) = self._load([[0]]), self._load([[0]])
        if not torch.equal(first, again):
            raise ValueError(
                "the dataset gives another image each time that it is asked for the same one: "
                "scores are taken on images without random augmentation"
            )
        return first

    def chunks(self, size: int) -> Iterator[tuple[int, Tensor, Tensor]]:
        starts = range(0, len(self), size)
        batches = self._batches([[*range(s, min(s + size, len(self)))] for s in starts])
        for start, batch in zip(starts, batches, strict=True):
            yield start, *batch

    def files(self) -> list[str]:
        # ImageFolder and its like.
        samples = getattr(self.dataset, "samples", None)
        if isinstance(samples, Sequence) and len(samples) == len(self):
            names = [s[0] for s in samples if isinstance(s, Sequence) and isinstance(s[0], str)]
            if len(names) == len(self):
                return names
        return [str(i) for i in range(len(self))]

    def _load(self, positions: list[list[int]]) -> tuple[Tensor, Tensor]:
        return next(self._batches(positions, workers=0))

    def _batches(
        self, positions: list[list[int]], workers: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        loader = DataLoader(
            self.dataset,
            batch_sampler=positions,
            collate_fn=self.collate,
            num_workers=self.workers if workers is None else workers,
        )
        try:
            for batch in loader:
                yield _image_and_label(batch)
        except (TypeError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ValueError(
                f"the dataset's samples cannot be put into a batch ({reason}): its transform must "
                "make float tensors of one size"
            ) from error


def as_samples(dataset: Any) -> Samples:
    """Samples from whatever holds them.

    Args:
        dataset: a map-style `torch.utils.data.Dataset`; a DataLoader, of which the dataset is taken
            in its own order, without sampler and shuffling; or a pair of images and labels.

    Raises:
        ValueError: it is none of these, or empty.
    """
    samples: Samples
    if isinstance(dataset, (tuple, list)) and len(dataset) == 2:
        samples = TensorSamples(*dataset)
    else:
        loader = dataset if isinstance(dataset, DataLoader) else None
        dataset = dataset if loader is None else loader.dataset
        if isinstance(dataset, IterableDataset) or not (
            hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
        ):
            raise ValueError(
                "the dataset must be a map-style Dataset, with __getitem__ and __len__, a "
                f"DataLoader of one, or a pair of images and labels, not {type(dataset).__name__}"
            )
        samples = DatasetSamples(
            dataset,
            None if loader is None else loader.collate_fn,
            0 if loader is None else loader.num_workers,
        )
    if not len(samples):
        raise ValueError("there are no samples to score")
    return samples


def _image_and_label(batch: Any) -> tuple[Tensor, Tensor]:
    images: Any
    labels: Any
    if isinstance(batch, Mapping):
        found = [
            next((batch[k] for k in keys if k in batch), None) for keys in (IMAGE_KEYS, LABEL_KEYS)
        ]
        if any(part is None for part in found):
            raise ValueError(
                "a sample that is a dictionary must have the keys image and label, not "
                f"{', '.join(map(str, batch))}"
            )
        images, labels = found
    elif isinstance(batch, Sequence) and len(batch) >= 2:
        images, labels = batch[0], batch[1]
    else:
        raise ValueError(
            f"a sample must be image and label, not a {type(batch).__name__} without a label"
        )
    check_images(images)
    check_lengths(images, labels)
    return images, labels
