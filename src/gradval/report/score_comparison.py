"""Two scorings of the same samples, compared score by score, each beside its chance level."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gradval.report.figures.selection import plot_selection_pair
from gradval.report.labels import statistic_label
from gradval.report.score_sheet import PAGE, PRIVATE, own_gallery, within_class
from gradval.report.study_page.gallery import GalleryRun, ImagesAt
from gradval.report.study_page.interval_plot import number
from gradval.report.study_page.rendering import render
from gradval.report.tables import Kind, Table
from gradval.scores.files import score_columns
from gradval.selection.compare import compare, correlation_chance, selection_chance
from gradval.selection.select import select
from gradval.study.names import score_label

CHANCE_SEED = 0
MOST_SELECTED = 25


class _Indexed:
    """Images by position with a length, of which no more than the asked ones are loaded."""

    def __init__(self, images: ImagesAt, count: int) -> None:
        self.images, self.count = images, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.asarray(self.images[positions])


def same_samples(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """The rows of `b` in the order of `a`, by the names of the files.

    Raises:
        ValueError: they are not of the same files and labels.
    """
    for table in (a, b):
        if table["file"].duplicated().any():
            name = table["file"][table["file"].duplicated()].iloc[0]
            raise ValueError(f"file {name!r} is listed twice")
    other = b.set_index("file")
    only_a, only_b = set(a["file"]) - set(other.index), set(other.index) - set(a["file"])
    if only_a or only_b:
        one = next(iter(sorted(only_a or only_b)))
        raise ValueError(
            f"not of the same images: {len(only_a)} are in the first alone and {len(only_b)} in "
            f"the second, such as {one}"
        )
    aligned = other.loc[a["file"]].reset_index()
    wrong = aligned["label"].astype(str) != a["label"].astype(str).reset_index(drop=True)
    if wrong.any():
        raise ValueError(f"{aligned['file'][wrong].iloc[0]} has another label in the second")
    return aligned


def compare_scores(
    a: pd.DataFrame,
    b: pd.DataFrame,
    images: ImagesAt,
    scores: Sequence[str] | None = None,
    *,
    class_name: str | int | None = None,
    k: int | None = None,
    largest: bool = True,
    draws: int = 200,
) -> pd.DataFrame:
    """Compare the scores that two tables have in common.

    Args:
        a, b: as `gradval.scores.dataset.score_dataset` returns them, of the same files.
        images: uint8 `(N, C, H, W)` in the order of `a`, or an object that gives those at an array
            of positions.
        scores: which; all that both have by default.
        class_name: to which everything is restricted; `None` for all.
        k: size of the selections; by default a quarter of the samples, at most 25.
        largest: whether they hold the largest scores or the smallest.
        draws: number of random selections and permutations that give the chance levels.

    Returns:
        Table score, statistic, value, chance, chance_low, chance_high (the interval that holds 95%
        of cases): overlap, ssim_matched, ssim_rank, bhattacharyya of the selections; pearson,
        pearson_top_a, pearson_top_b, pearson_extremes (of a tenth of the samples), spearman.

    Raises:
        ValueError: the tables are not of the same samples, or have no score in common.
    """
    b = same_samples(a, b)
    chosen = common_scores(a, b, scores)
    members = within_class(a, class_name)
    size = len(a) if members is None else int(members.sum())
    k, top = selection_size(size, k), max(2, size // 10)
    shown = _Indexed(images, len(a))
    rng = np.random.default_rng(CHANCE_SEED)
    selections = selection_chance(shown, rng=rng, candidates=members, k=k, draws=draws)  # type: ignore[arg-type]
    rows = []
    for score in chosen:
        first, second = (table[score].to_numpy() for table in (a, b))
        levels = selections | correlation_chance(
            first, second, rng=rng, candidates=members, pearson_k=top, draws=draws
        )
        values = compare(
            first,
            second,
            shown,  # type: ignore[arg-type]
            candidates=members,
            k=k,
            largest=largest,
            pearson_k=top,
        )
        rows += [
            {
                "score": score,
                "statistic": statistic,
                "value": value,
                "chance": levels[statistic].mean,
                "chance_low": levels[statistic].low,
                "chance_high": levels[statistic].high,
            }
            for statistic, value in values.items()
        ]
    return pd.DataFrame(rows)


def common_scores(a: pd.DataFrame, b: pd.DataFrame, wanted: Sequence[str] | None) -> list[str]:
    """The wanted scores, or all that two tables have in common.

    Raises:
        ValueError: there are none, or one is missing.
    """
    common = [name for name in score_columns(a) if name in score_columns(b)]
    missing = [name for name in wanted or () if name not in common]
    if missing or not common:
        raise ValueError(
            f"no score {missing[0] if missing else ''!r} in both; common are "
            f"{', '.join(common) or 'none'}"
        )
    return list(wanted or common)


def selection_size(size: int, k: int | None) -> int:
    """How many samples are selected: `k`, or a quarter and at most 25.

    Raises:
        ValueError: there are not as many.
    """
    chosen = max(1, min(MOST_SELECTED, size // 4)) if k is None else k
    if not 0 < chosen <= size:
        raise ValueError(f"k must lie between 1 and the {size} samples there are, not {chosen}")
    return chosen


def plot_comparison(
    a: pd.DataFrame,
    b: pd.DataFrame,
    images: ImagesAt,
    statistics: pd.DataFrame,
    score: str,
    *,
    names: tuple[str, str],
    class_name: str | int | None = None,
    k: int | None = None,
    largest: bool = True,
) -> Figure:
    """The samples that two scorings select, side by side, above their agreement.

    Args:
        a, b, images, class_name, k, largest: as in `compare_scores`, with the same values.
        statistics: what that returned.
        score: which is shown.
        names: what the two are called.
    """
    b = same_samples(a, b)
    members = within_class(a, class_name)
    k = selection_size(len(a) if members is None else int(members.sum()), k)
    sides = [select(table[score], k, largest, members) for table in (a, b)]
    rows = statistics[statistics["score"] == score]
    end = "largest" if largest else "smallest"
    where = "" if class_name is None else f" of class {class_name}"
    return plot_selection_pair(
        *(np.asarray(images[chosen]) for chosen in sides),
        indices_a=sides[0],
        indices_b=sides[1],
        titles=names,
        statistics=rows.assign(pairing="same seed", seed_a=0, seed_b=0),
        title=f"{score_label(score)}: the {k} {end}{where}",
        note="A ceiling would need a second training of either model.",
    )


def comparison_page(
    a: pd.DataFrame,
    b: pd.DataFrame,
    images: ImagesAt,
    statistics: pd.DataFrame,
    score: str,
    *,
    names: tuple[str, str],
    class_name: str | int | None = None,
    k: int | None = None,
    largest: bool = True,
) -> str:
    """A page of two scorings: what they have in common, and their samples side by side.

    The arguments are those of `plot_comparison`; the page is for the owner of the images.
    """
    b = same_samples(a, b)
    members = within_class(a, class_name)
    k = selection_size(len(a) if members is None else int(members.sum()), k)
    end = "largest" if largest else "smallest"
    where = "" if class_name is None else f" of class {class_name}"
    sides = [select(table[score], k, largest, members) for table in (a, b)]
    scores = list(dict.fromkeys(statistics["score"]))
    runs = [
        GalleryRun(
            {"Setting": (letter, name)},
            {one: table[one].to_numpy() for one in scores},
            table["predicted"].astype(str).tolist(),
        )
        for letter, name, table in zip("AB", names, (a, b), strict=True)
    ]
    gallery = own_gallery(a, images, score, np.concatenate(sides), runs, scores=scores, k=k)
    return render(
        PAGE,
        title=f"{names[0]} and {names[1]}",
        findings=[_finding(one, rows, k, f"{end}{where}") for one, rows in _by_score(statistics)],
        sections=(),
        tables=[_statistics_table(one, rows, names) for one, rows in _by_score(statistics)],
        notes=[PRIVATE],
        gallery=gallery,
    )


def _by_score(statistics: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(score), rows) for score, rows in statistics.groupby("score", sort=False)]


def _finding(score: str, rows: pd.DataFrame, k: int, which: str) -> str:
    """What two selections have in common, in a sentence."""
    row = rows[rows["statistic"] == "overlap"]
    value, chance, low, high = (
        float(row[name].iloc[0]) for name in ("value", "chance", "chance_low", "chance_high")
    )
    return (
        f"{score_label(score)}: {value:.0f} of the {k} {which} are the same; by chance it would be "
        f"{number(chance)} ({number(low, 0)} to {number(high, 0)})."
    )


def _statistics_table(score: str, rows: pd.DataFrame, names: tuple[str, str]) -> Table:
    frame = pd.DataFrame(
        {
            "Statistic": [statistic_label(str(name), names) for name in rows["statistic"]],
            "Value": [number(float(value)) for value in rows["value"]],
            "By chance": [number(float(value)) for value in rows["chance"]],
            "In 95% of cases": [
                f"{number(low)} to {number(high)}"
                for low, high in zip(rows["chance_low"], rows["chance_high"], strict=True)
            ],
        }
    )
    kinds: dict[str, Kind] = dict.fromkeys(("Value", "By chance", "In 95% of cases"), "interval")
    return Table.of(frame, score_label(score), kinds=kinds)
