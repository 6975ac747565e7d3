"""Does what sites publish say what they are worth? Published values against the truth.

A study of public data: it draws the same statistic many times, at many epsilons, to see what the
noise does. Nothing here is a release.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradval.evidence.intervals import summarise
from gradval.federation.reward import atypicality, auroc, kendall, split_reward
from gradval.privacy.statistics import Publisher, Query

Numbers = NDArray[np.float64]
BASELINES = ("size", "label_entropy", "own_loss", "random")
COMBINED, EVERY = "all scores", "all scenarios"
# What is measured of every way to value sites.
MEASURES = ("kendall_accuracy", "kendall_loss", "auroc_harmful", "paid_harmful",
            "paid_redundant", "noise_moved")  # fmt: skip
# What a measure can be, which intervals are cut off at.
_LIMITS = {
    **{"kendall_accuracy": (-1, 1), "kendall_loss": (-1, 1), "auroc_harmful": (0, 1)},
    **{"auroc_planted": (0, 1), "paid_harmful": (-1, 1), "paid_redundant": (-1, 1)},
    **{"noise_moved": (0, 2), "agreement": (-1, 1)},
}


@dataclass(frozen=True)
class JudgementOptions:
    """How the study is done.

    Attributes:
        bounds: score -> public bounds.
        epsilons: of one statistic of one score.
        draws: of every statistic.
        bins: of the histograms that atypical sites are found by.
    """

    bounds: Mapping[str, tuple[float, float]]
    epsilons: Sequence[float]
    draws: int = 20
    bins: int = 10


def judge(
    sites: pd.DataFrame,
    truth: pd.DataFrame,
    scores: Mapping[str, Sequence[Numbers]],
    options: JudgementOptions,
    seed: int,
) -> pd.DataFrame:
    """Judge every way to value and to find sites, for one partition.

    Args:
        sites: as of `gradval.federation.sites.sites_table`.
        truth: as of `gradval.federation.value.values_table`.
        scores: name -> raw scores of each site's samples.
        options: see there.
        seed: of the random baseline.

    Returns:
        One row for each method (a score, `all scores` or a baseline), rule and epsilon (infinite
        without noise), means over draws. Rules: `mean` of a sample, `total` (times the number of
        samples), `baseline` and `distance` (between distributions). Columns beside them:
        kendall_accuracy and kendall_loss (agreement with Shapley values), auroc_harmful (whether
        harmful sites have higher values), paid_harmful and paid_redundant (their part of the reward
        over that of a split in equal parts, NaN where there are none), noise_moved (by how much of
        the reward noise moves a site's share on average), auroc_planted (of `distance`: whether
        planted sites are further from the others).
    """
    sizes = sites["images"].to_numpy(np.float64)
    rows: list[dict[str, object]] = []
    for name, values in _baselines(sites, truth, seed).items():
        exact = [values]
        rows.append(
            _row(name, "baseline", np.inf, exact, exact[0], float(values.min()), sites, truth)
        )
    for epsilon in (*options.epsilons, np.inf):
        means = {
            score: _published("mean", score, scores[score], options, epsilon) for score in scores
        }
        for rule, weight in (("mean", np.ones_like(sizes)), ("total", sizes / sizes.mean())):
            for score, drawn in means.items():
                low = options.bounds[score][0]
                exact = [(_exact_mean(scores[score], options.bounds[score]) - low) * weight]
                weighted = [(values["mean"] - low) * weight for values in drawn]
                rows.append(_row(score, rule, epsilon, weighted, exact[0], 0.0, sites, truth))
            together = _combined(means, options, weight)
            exact_means = {s: [{"mean": _exact_mean(scores[s], options.bounds[s])}] for s in scores}
            exact = _combined(exact_means, options, weight)
            rows.append(_row(COMBINED, rule, epsilon, together, exact[0], 0.0, sites, truth))
        for score in scores:
            drawn = _published("histogram", score, scores[score], options, epsilon)
            rows.append(_distance_row(score, epsilon, drawn, sites))
    return pd.DataFrame(rows)


def summary(judged: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds with 95% intervals, of what `judge` and `judge_persons` returned.

    Args:
        judged: with columns scenario and seed.

    Returns:
        One row for each scenario, method, rule, epsilon and measure: mean, low, high, seeds. The
        interval is NaN for one seed. If there are several scenarios, rows of `all scenarios`, over
        every seed of each, come last.
    """
    keys = ["scenario", "method", "rule", "epsilon"]
    rows = []
    if judged["scenario"].nunique() > 1:
        judged = pd.concat([judged, judged.assign(scenario=EVERY)])
    for key, group in judged.groupby(keys, sort=False):
        for measure in (*MEASURES, "auroc_planted", "agreement"):
            if measure not in group:
                continue
            found = summarise(group[measure])
            if found.n:
                named = dict(zip(keys, key, strict=True))
                least, most = _LIMITS.get(measure, (-np.inf, np.inf))
                ends = np.clip([found.low, found.high], least, most)
                numbers = {"mean": found.mean, "low": ends[0], "high": ends[1]}
                rows.append({**named, "measure": measure, **numbers, "seeds": found.n})
    return pd.DataFrame(rows)


def _baselines(sites: pd.DataFrame, truth: pd.DataFrame, seed: int) -> dict[str, Numbers]:
    return {
        "size": sites["images"].to_numpy(np.float64),
        "label_entropy": sites["label_entropy"].to_numpy(np.float64),
        "own_loss": truth["own_loss"].to_numpy(np.float64),
        "random": np.random.default_rng(seed).random(len(sites)),
    }


def _published(
    statistic: str,
    score: str,
    values: Sequence[Numbers],
    options: JudgementOptions,
    epsilon: float,
) -> list[dict[str, Numbers]]:
    """Draws of a statistic of every site: key -> `(sites,)`, one dictionary a draw."""
    low, high = options.bounds[score]
    edges = tuple(np.linspace(low, high, options.bins + 1)[1:-1].tolist())
    per_site = []
    for held in values:
        query = Query(
            score=score,
            statistic=statistic,  # type: ignore[arg-type]
            bounds=(low, high),
            epsilon=min(epsilon, 1e4),
            relation="replace",
            size=len(held),
            points=edges if statistic == "histogram" else (),
        )
        publisher = Publisher(query)
        exact = np.isinf(epsilon)
        per_site.append([publisher.exact(held)] if exact else publisher.draws(held, options.draws))
    return [
        {key: np.array([site[key] for site in draw]) for key in draw[0]}
        for draw in zip(*per_site, strict=True)
    ]


def _exact_mean(values: Sequence[Numbers], bounds: tuple[float, float]) -> Numbers:
    return np.array([np.clip(held, *bounds).mean() for held in values])


def _combined(
    means: Mapping[str, Sequence[Mapping[str, Numbers]]],
    options: JudgementOptions,
    weight: Numbers,
) -> list[Numbers]:
    """Of each draw the mean over scores of where a site is between the sites' extremes."""
    found = []
    for draws in zip(*means.values(), strict=True):
        scaled = []
        for draw in draws:
            values = draw["mean"] * weight
            reach = values.max() - values.min()
            scaled.append((values - values.min()) / reach if reach > 0 else np.ones_like(values))
        found.append(np.mean(scaled, axis=0))
    return found


def _row(
    method: str,
    rule: str,
    epsilon: float,
    drawn: Sequence[Numbers],
    exact: Numbers,
    floor: float,
    sites: pd.DataFrame,
    truth: pd.DataFrame,
) -> dict[str, object]:
    fair, without_noise = 1 / len(sites), split_reward(exact, floor=floor)
    worth = {name: (sites["worth"] == name).to_numpy() for name in ("harmful", "redundant")}
    measured = []
    for values in drawn:
        paid = split_reward(values, floor=floor)
        measured.append(
            {
                "kendall_accuracy": kendall(values, truth["shapley_accuracy"]),
                "kendall_loss": kendall(values, truth["shapley_loss"]),
                "auroc_harmful": auroc(values, worth["harmful"]),
                "paid_harmful": _sum_of(paid - fair, worth["harmful"]),
                "paid_redundant": _sum_of(paid - fair, worth["redundant"]),
                "noise_moved": float(np.abs(paid - without_noise).mean()),
            }
        )
    means = pd.DataFrame(measured).mean()
    named = {measure: float(means[measure]) for measure in MEASURES}
    return {"method": method, "rule": rule, "epsilon": epsilon, **named, "auroc_planted": np.nan}


def _sum_of(values: Numbers, among: NDArray[np.bool_]) -> float:
    return float(values[among].sum()) if among.any() else float("nan")


def _distance_row(
    score: str, epsilon: float, drawn: Sequence[Mapping[str, Numbers]], sites: pd.DataFrame
) -> dict[str, object]:
    planted = (sites["planted"] != "").to_numpy()
    found = [auroc(distance, planted) for distance in _distances(drawn)]
    nothing = dict.fromkeys(MEASURES, np.nan)
    return {
        "method": score,
        "rule": "distance",
        "epsilon": epsilon,
        **nothing,
        "auroc_planted": float(np.mean(found)),
    }


def _distances(drawn: Sequence[Mapping[str, Numbers]]) -> Iterator[Numbers]:
    for draw in drawn:
        yield atypicality(np.column_stack(list(draw.values())))
