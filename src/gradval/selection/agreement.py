"""A comparison over all runs of two sides, every pair beside chance and its ceilings.

A run has initial weights, fixed by its seed for every privacy level of a model, and a draw of
sampling and noise. Pairs of runs are told apart by what they share:

- ``same seed``: initial weights (where both sides are the same model), or the very run where the
  sides differ in their score alone;
- ``other draw``: of such sides, two runs with the same initial weights;
- ``other seed``: nothing but the data;
- ``draw ceiling a``, ``draw ceiling b``: one side, the same initial weights, two draws;
- ``ceiling a``, ``ceiling b``: one side, two seeds.

The ceilings are what two runs of one setting have in common: no two settings can be expected to
agree better.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradval.data.store import Split
from gradval.selection.compare import compare, correlation_chance, selection_chance
from gradval.selection.image_statistics import ranks_within_classes
from gradval.selection.overlaps import overlap_test
from gradval.selection.select import candidate_indices, select

# Seed (initial weights) and draw (sampling and noise).
Run = tuple[int, int]
ScoresByRun = Mapping[Run, NDArray]

# Chance levels must not change from run to run.
CHANCE_SEED = 0


def pairings(
    runs: Sequence[Run], same_runs: bool = False
) -> Iterator[tuple[str, tuple[str, Run], tuple[str, Run]]]:
    """Every pair that is compared: name of the pairing, then side and run of both members.

    Args:
        runs: seed and draw of the runs of either side.
        same_runs: whether both sides are scores of the same runs.
    """
    for i in runs:
        for j in runs:
            if i[0] != j[0]:
                yield "other seed", ("a", i), ("b", j)
            elif same_runs and i != j:
                yield "other draw", ("a", i), ("b", j)
            else:
                yield "same seed", ("a", i), ("b", j)
    for side in ("a", "b"):
        for position, i in enumerate(runs):
            for j in runs[position + 1 :]:
                name = "draw ceiling" if i[0] == j[0] else "ceiling"
                yield f"{name} {side}", (side, i), (side, j)


def compare_over_runs(
    scores_a: ScoresByRun,
    scores_b: ScoresByRun,
    images: NDArray,
    labels: NDArray,
    *,
    candidates: NDArray | None,
    k: int,
    largest: bool,
    pearson_k: int,
    draws: int,
    same_runs: bool = False,
) -> pd.DataFrame:
    """Every statistic of `compare` for every pairing of runs, beside its chance level.

    The overlap has an exact one: that of selections with as many samples of each class, drawn at
    random within classes (`gradval.selection.overlaps`).

    Args:
        scores_a, scores_b: (seed, draw) -> (N,) scores; the same runs on both sides.
        images: (N, C, H, W) uint8, possibly memory-mapped.
        labels: (N,) class of each sample.
        candidates, k, largest, pearson_k: as in `compare`.
        draws: as in `selection_chance`.
        same_runs: whether both sides are scores of the same runs.

    Returns:
        Long table: pairing, seed_a, draw_a, seed_b, draw_b, statistic, value, chance, chance_low,
        chance_high, and of overlaps chance_p (two-sided, of more than chance), exact_low and
        exact_high (95% interval of the expected overlap).

    Raises:
        ValueError: the sides have different runs, or as in `compare`.
    """
    if list(scores_a) != list(scores_b):
        raise ValueError(f"both sides need the same runs, got {[*scores_a]} and {[*scores_b]}")
    rng = np.random.default_rng(CHANCE_SEED)
    selections = selection_chance(images, rng=rng, candidates=candidates, k=k, draws=draws)
    scores = {"a": scores_a, "b": scores_b}
    # Permutations leave nothing of a pair but its two distributions, which hardly depend on the
    # run: one pair gives the level of all.
    correlations = correlation_chance(
        *(next(iter(by_run.values())) for by_run in scores.values()),
        rng=rng,
        candidates=candidates,
        pearson_k=pearson_k,
        draws=draws,
    )
    levels = selections | correlations
    members = candidate_indices(candidates, len(labels))
    sizes = np.bincount(labels[members])
    counts = {
        (side, run): np.bincount(
            labels[members[select(values[members], k, largest)]], minlength=len(sizes)
        )
        for side, by_run in scores.items()
        for run, values in by_run.items()
    }
    rows = []
    for pairing, first, second in pairings(list(scores_a), same_runs):
        a, b = (scores[side][run] for side, run in (first, second))
        values = compare(
            a, b, images, candidates=candidates, k=k, largest=largest, pearson_k=pearson_k
        )
        exact = overlap_test(int(values["overlap"]), counts[first], counts[second], sizes)
        runs = {"seed_a": first[1][0], "draw_a": first[1][1]}
        runs |= {"seed_b": second[1][0], "draw_b": second[1][1]}
        for statistic, value in values.items():
            level = levels[statistic]
            row = {"pairing": pairing, **runs, "statistic": statistic, "value": value}
            row |= {"chance": level.mean, "chance_low": level.low, "chance_high": level.high}
            if statistic == "overlap":
                row |= {"chance": exact.expected, "chance_p": exact.p_above}
                row |= {"chance_low": exact.chance_low, "chance_high": exact.chance_high}
                row |= {"exact_low": exact.low, "exact_high": exact.high}
            rows.append(row)
    return pd.DataFrame(rows)


def list_selections(
    scores: Mapping[str, ScoresByRun],
    split: Split,
    *,
    candidates: NDArray | None,
    k: int,
    largest: bool,
) -> pd.DataFrame:
    """Which samples each side selects in each run.

    Args:
        scores: side (`a`, `b`) -> (seed, draw) -> (N,) scores.
        split: the samples.
        candidates, k, largest: as in `compare`.

    Returns:
        Table seed, draw, side, rank (from 1), index, id, label, score, and what the image looks
        like among those of its class (`ranks_within_classes`).
    """
    members = candidate_indices(candidates, len(split))
    looks = ranks_within_classes(split.images, split.labels, members)
    tables = []
    for side, by_run in scores.items():
        for (seed, draw), values in by_run.items():
            position = select(values[members], k, largest)
            chosen = members[position]
            tables.append(
                pd.DataFrame(
                    {
                        "seed": seed,
                        "draw": draw,
                        "side": side,
                        "rank": np.arange(1, k + 1),
                        "index": chosen,
                        "id": [split.ids[i] for i in chosen],
                        "label": split.labels[chosen],
                        "score": values[chosen],
                        **{name: ranks[position] for name, ranks in looks.items()},
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)
