"""A comparison over all seeds: the same seed, other seeds, and the ceiling, each beside chance.

A seed fixes the initial weights of a model for every privacy level. Runs that share a seed
therefore share more than their setting, and are kept apart from runs that do not. The ceiling is
what two seeds of one and the same setting have in common: no two settings can be expected to agree
better.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradval.data.store import Split
from gradval.selection.compare import compare, correlation_chance, selection_chance
from gradval.selection.select import as_pool, select

ScoresBySeed = Mapping[int, NDArray]

# Chance levels must not change from run to run.
CHANCE_SEED = 0


def pairings(seeds: list[int]) -> Iterator[tuple[str, tuple[str, int], tuple[str, int]]]:
    """Every pair that is compared: name of the pairing, then side and seed of both members."""
    for i in seeds:
        for j in seeds:
            yield ("same seed" if i == j else "other seed"), ("a", i), ("b", j)
    for side in ("a", "b"):
        for position, i in enumerate(seeds):
            for j in seeds[position + 1 :]:
                yield f"ceiling {side}", (side, i), (side, j)


def compare_over_seeds(
    scores_a: ScoresBySeed,
    scores_b: ScoresBySeed,
    images: NDArray,
    *,
    pool: NDArray | None,
    k: int,
    largest: bool,
    pearson_k: int,
    draws: int,
) -> pd.DataFrame:
    """Every statistic of `compare` for every pairing of seeds, beside its chance level.

    Args:
        scores_a, scores_b: seed -> (N,) scores; the same seeds on both sides.
        images: (N, C, H, W) uint8, possibly memory-mapped.
        pool, k, largest, pearson_k: as in `compare`.
        draws: as in `selection_chance`.

    Returns:
        Long table: pairing, seed_a, seed_b, statistic, value, chance, chance_low, chance_high.

    Raises:
        ValueError: the sides have different seeds, or as in `compare`.
    """
    if list(scores_a) != list(scores_b):
        raise ValueError(f"both sides need the same seeds, got {[*scores_a]} and {[*scores_b]}")
    rng = np.random.default_rng(CHANCE_SEED)
    selections = selection_chance(images, rng=rng, pool=pool, k=k, draws=draws)
    scores = {"a": scores_a, "b": scores_b}
    # Permutations leave nothing of a pair but its two distributions, which hardly depend on the
    # seed: one pair gives the level of all.
    correlations = correlation_chance(
        *(next(iter(by_seed.values())) for by_seed in scores.values()),
        rng=rng,
        pool=pool,
        pearson_k=pearson_k,
        draws=draws,
    )
    levels = selections | correlations
    rows = []
    for pairing, (side_i, i), (side_j, j) in pairings(list(scores_a)):
        first, second = scores[side_i][i], scores[side_j][j]
        values = compare(
            first, second, images, pool=pool, k=k, largest=largest, pearson_k=pearson_k
        )
        for statistic, value in values.items():
            level = levels[statistic]
            rows.append(
                {
                    "pairing": pairing,
                    "seed_a": i,
                    "seed_b": j,
                    "statistic": statistic,
                    "value": value,
                    "chance": level.mean,
                    "chance_low": level.low,
                    "chance_high": level.high,
                }
            )
    return pd.DataFrame(rows)


def list_selections(
    scores: Mapping[str, ScoresBySeed],
    split: Split,
    *,
    pool: NDArray | None,
    k: int,
    largest: bool,
) -> pd.DataFrame:
    """Which samples each side selects under each seed.

    Args:
        scores: side (`a`, `b`) -> seed -> (N,) scores.
        split: the samples.
        pool, k, largest: as in `compare`.

    Returns:
        Table seed, side, rank (from 1), index, id, label, score.
    """
    members = as_pool(pool, len(split))
    tables = []
    for side, by_seed in scores.items():
        for seed, values in by_seed.items():
            chosen = members[select(values[members], k, largest)]
            tables.append(
                pd.DataFrame(
                    {
                        "seed": seed,
                        "side": side,
                        "rank": np.arange(1, k + 1),
                        "index": chosen,
                        "id": [split.ids[i] for i in chosen],
                        "label": split.labels[chosen],
                        "score": values[chosen],
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)
