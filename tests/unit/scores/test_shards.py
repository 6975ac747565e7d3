"""Shards: together every sample once, with the bits of the whole, however many there are."""

import numpy as np
import pytest
import torch
from torch import nn

from gradval.scores.parts import compute_in_parts
from gradval.scores.registry import load_score, options_of
from gradval.scores.samples import TensorSamples
from gradval.scores.shards import Shard, gather_shards, write_shard

NAMES = ("loss", "grad_norm", "vog", "plis")


def data(size: int = 203) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(size, 1, 6, 6, generator=generator)
    return images, torch.randint(0, 3, (size,), generator=generator)


def model(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(64, 3))


def scores_of(samples: TensorSamples) -> dict[str, torch.Tensor]:
    values, _ = compute_in_parts(
        {name: load_score(name) for name in NAMES},
        model(0),
        [model(1), model(2)],
        samples,
        options={name: options_of(name, None) for name in NAMES},
        sigma=1.5,
        batch_size=16,
        progress=False,
        folder=None,
    )
    return values


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_any_number_of_shards_gives_the_bits_of_the_whole(count, tmp_path):
    images, labels = data()
    whole = scores_of(TensorSamples(images, labels))
    paths = []
    for index in range(count):
        shard = Shard(images, labels, index, count)
        values = scores_of(shard)
        paths.append(tmp_path / f"{index}of{count}.parquet")
        write_shard(paths[-1], {name: v.numpy() for name, v in values.items()}, shard.first)
    together = gather_shards(reversed(paths), len(labels))
    for name in NAMES:
        assert np.array_equal(together[name].to_numpy(), whole[name].numpy())


def test_shards_that_are_not_the_whole_are_refused(tmp_path):
    paths = [tmp_path / f"{i}.parquet" for i in range(2)]
    for path, first in zip(paths, (0, 3), strict=True):
        write_shard(path, {"loss": np.zeros(4)}, first)
    with pytest.raises(ValueError, match="hold 8 scores, not one of each of 7 samples"):
        gather_shards(paths, 7)
    with pytest.raises(ValueError, match="hold 8 scores, not one of each of 8 samples"):
        gather_shards(paths, 8)


def test_more_shards_than_batches_are_refused():
    images, labels = data(100)
    with pytest.raises(ValueError, match=r"4 shards are too many: .*lower scores\.shards"):
        list(Shard(images, labels, 0, 4).chunks(32 + 16))
    with pytest.raises(ValueError, match="shard 4 of 4"):
        Shard(images, labels, 4, 4)
