"""What single persons would be paid: each publishes its own score under local privacy.

A person is a sample, or a group of them such as a patient, whose value is the mean of its clipped
scores. It releases the value itself, with the noise of the whole range of scores, and is paid in
proportion to what it released above the floor. A study of public data, not a release.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradval.federation.reward import auroc, split_reward
from gradval.federation.variance_query import VarianceQuery
from gradval.privacy.release import release
from gradval.privacy.statistics import unit_values

Values = NDArray[np.float64]
# Column of the scores whose gradients were clipped, and the method of the paper's query of it.
CLIPPED_VOG = "vog_clipped"
RULES = {"sample": "person", "group": "patient"}


def judge_persons(
    table: pd.DataFrame,
    worth: Mapping[int, str],
    bounds: Mapping[str, tuple[float, float]],
    epsilons: Sequence[float],
    *,
    draws: int = 1,
    groups: bool = False,
    query: VarianceQuery | None = None,
) -> pd.DataFrame:
    """Judge what persons are paid for each score, at each epsilon and without noise.

    Args:
        table: columns site, group and every score; with `query` also `vog_clipped`.
        worth: of each site, see `gradval.federation.sites.KINDS`.
        bounds: score -> public bounds.
        epsilons: pure, of what a person releases.
        draws: of every release; persons are many, so that one says what noise does.
        groups: whether groups are judged as well.
        query: for the paper's variance query; its epsilon is not used, those of `epsilons` are.

    Returns:
        One row for each method, rule (`person`, and `patient` for groups) and epsilon,
        means over draws: agreement (rank correlation of released and exact values), auroc_harmful
        (whether persons of harmful sites release higher values), paid_harmful (their part of the
        reward over that of equal shares), noise_moved (by which part of an equal share noise moves
        what a person is paid). The query is for samples, epsilon being that of one gradient.
    """
    rows = []
    named = [f"{site}/{name}" for site, name in zip(table["site"], table["group"], strict=True)]
    for unit, rule in RULES.items():
        if unit == "group" and not groups:
            continue
        sites = _of_units(table["site"].to_numpy(), named, unit)
        harmful = np.array([worth[site] == "harmful" for site in sites])
        for score, limits in bounds.items():
            values = unit_values(table[score].to_numpy(), named, unit, limits)
            for epsilon in (*epsilons, np.inf):
                drawn = _releases(values, limits, epsilon, draws)
                rows.append(_row(score, rule, epsilon, values, drawn, harmful, limits[0]))
        if query is not None and unit == "sample":
            values = table[CLIPPED_VOG].to_numpy(np.float64)
            rows.append(_row("vog_query", rule, np.inf, values, [values], harmful, 0.0))
            for epsilon in epsilons:
                asked = VarianceQuery(query.bound, query.checkpoints, epsilon)
                drawn = [asked.draw(values) for _ in range(draws)]
                rows.append(_row("vog_query", rule, epsilon, values, drawn, harmful, 0.0))
    return pd.DataFrame(rows)


def _of_units(sites: NDArray[np.int64], groups: Sequence[str], unit: str) -> NDArray[np.int64]:
    """The site of each unit, in the order of `unit_values`."""
    if unit == "sample":
        return sites
    _, first = np.unique(np.asarray(groups), return_index=True)
    return sites[first]


def _releases(
    values: Values, limits: tuple[float, float], epsilon: float, draws: int
) -> list[Values]:
    if np.isinf(epsilon):
        return [values]
    return [release(values, limits, epsilon) for _ in range(draws)]


def _row(
    method: str,
    rule: str,
    epsilon: float,
    exact: Values,
    drawn: Sequence[Values],
    harmful: NDArray[np.bool_],
    floor: float,
) -> dict[str, object]:
    without_noise = split_reward(exact, floor=floor)
    measures: Mapping[str, Callable[[Values, Values], float]] = {
        "agreement": lambda values, _: float(
            pd.Series(values).corr(pd.Series(exact), method="spearman")
        ),
        "auroc_harmful": lambda values, _: auroc(values, harmful),
        "paid_harmful": lambda _, paid: (
            float(paid[harmful].sum() - harmful.mean()) if harmful.any() else float("nan")
        ),
        "noise_moved": lambda _, paid: float(np.abs(paid - without_noise).mean() * len(paid)),
    }
    found = {
        name: float(np.mean([measure(v, split_reward(v, floor=floor)) for v in drawn]))
        for name, measure in measures.items()
    }
    return {"method": method, "rule": rule, "epsilon": epsilon, **found}
