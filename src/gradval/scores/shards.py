"""Scoring a large data set in shards: jobs of their own, whose results together are the whole.

Rounding depends on which samples are in a batch, so a shard begins where a batch of the whole
would. The result has the same bits for any number of shards, as long as all take batches of one
size.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

from gradval.runtime.files import atomic_path
from gradval.scores.samples import TensorSamples
from gradval.scores.validation import Images


class Shard(TensorSamples):
    """One shard of images and labels that are at hand; see `TensorSamples`.

    Args:
        images: `(N, C, H, W)` of all samples.
        labels: `(N,)` of all samples.
        index: of the shard, in 0 to `count` - 1.
        count: number of shards.

    Attributes:
        first: index of the shard's first sample, once `chunks` has said it.

    Raises:
        ValueError: there is no such shard.
    """

    first: int

    def __init__(self, images: Images, labels: Tensor, index: int, count: int) -> None:
        super().__init__(images, labels)
        if not 0 <= index < count:
            raise ValueError(f"shard {index} of {count}: count from 0 to {count - 1}")
        self.index, self.count = index, count

    def chunks(self, size: int) -> Iterator[tuple[int, Tensor, Tensor]]:
        chunks = -(-len(self) // size)
        if chunks < self.count:
            raise ValueError(
                f"{self.count} shards are too many: {len(self)} samples make {chunks} batches of "
                f"{size}; lower scores.shards or scores.batch_size"
            )
        first, end = (i * chunks // self.count for i in (self.index, self.index + 1))
        self.first = first * size
        for start in range(self.first, end * size, size):
            yield start, self.images[start : start + size], self.labels[start : start + size]


def write_shard(path: str | Path, values: dict[str, np.ndarray], first: int) -> None:
    """Write the raw scores of one shard: a column a score, the index of each sample beside them.

    Args:
        path: a Parquet file.
        values: name of a score -> `(n,)`.
        first: index of the shard's first sample.
    """
    table = pd.DataFrame(values)
    table.insert(0, "index", range(first, first + len(table)))
    with atomic_path(Path(path)) as temporary:
        table.to_parquet(temporary, index=False)


def gather_shards(paths: Iterable[str | Path], size: int) -> pd.DataFrame:
    """The raw scores of all samples, from all shards.

    Args:
        paths: the files of `write_shard`, in any order.
        size: number of samples.

    Returns:
        `index`, and a column a score, `size` rows in the order of the data set.

    Raises:
        ValueError: the shards are not, together, every sample once.
    """
    table = pd.concat(map(pd.read_parquet, paths)).sort_values("index", ignore_index=True)
    if not np.array_equal(table["index"], np.arange(size)):
        raise ValueError(f"the shards hold {len(table)} scores, not one of each of {size} samples")
    return table
