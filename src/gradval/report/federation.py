"""The federation in tables: what sites are worth and are paid, and how well published values do."""

from collections.abc import Mapping
from typing import cast

import numpy as np
import pandas as pd

from gradval.federation.judgement import BASELINES, COMBINED
from gradval.federation.persons import RULES
from gradval.federation.reward import split_reward
from gradval.federation.sites import KINDS
from gradval.report.tables import Block, Column, Table
from gradval.study.names import score_label

METHOD_LABELS = {
    "size": "Size",
    "label_entropy": "Label entropy",
    "own_loss": "Loss of own model",
    "random": "Random",
    COMBINED: "All scores together",
    "vog_query": "VoG, variance query",
}
assert set(BASELINES) < set(METHOD_LABELS)
RULE_LABELS = {
    "mean": "mean",
    "total": "mean × size",
    "baseline": "baseline",
    "distance": "distance",
}
PERSONS = tuple(RULES.values())
PAY = "pay_"  # columns of `paid_sites`: the share of the reward by each score
NOTES = (
    "Shapley value: the mean gain in test accuracy (percentage points) when the site joins, over "
    "all orders; they add up to the accuracy of all sites together over that of a guess.",
    "Paid: the share of a reward that is split in proportion to the published mean of a score "
    "above its lower bound, v: (v_i - floor) / sum of (v_j - floor). The shares add up to 100%.",
    "Kendall: agreement of the orders of sites by published and by Shapley value, from -1 to 1.",
    "AUROC (harmful paid): 1 if every harmful site has a higher value than any other, 0 if lower.",
    "Harmful paid: what harmful sites get of the reward beyond equal shares, in percentage points.",
)
PERSON_NOTES = (
    "Rank correlation: of released and exact values. Moved by noise: how far from what it would be "
    "paid without noise, in percent of an equal share, on average.",
    "VoG, variance query: the paper's proposal as it reads. Its epsilon hides one of the K "
    "gradients of a sample; the whole sample is hidden at K / 4 times as much, about.",
)
GUARANTEE_NOTES = (
    "A report of groups hides each of their samples too. Where the training hides samples, a "
    "group's epsilon of training is that of all of its samples together.",
)


def method_label(method: str) -> str:
    """A score, a combination of them or a baseline in words."""
    return METHOD_LABELS.get(method) or score_label(method)


def epsilon_label(epsilon: float) -> str:
    """The epsilon of a published statistic in words."""
    return "no noise" if np.isinf(epsilon) else f"ε = {epsilon:g}"


def planted_label(kind: str) -> str:
    """What was planted in words; "ordinary" for nothing."""
    return KINDS[kind].label if kind else "ordinary"


def paid_sites(
    sites: pd.DataFrame, report: pd.DataFrame, bounds: Mapping[str, tuple[float, float]]
) -> pd.DataFrame:
    """What each site published and would be paid for it, beside what it is worth.

    Args:
        sites: one row a site, in their order.
        report: rows as of `gradval.federation.reports.publish_report`, with the column site.
        bounds: score -> public bounds.

    Returns:
        `sites` with `published_<score>` and `pay_<score>` (a share, which add up to 1) of every
        score whose mean was published.
    """
    found = sites.copy()
    means = report[report["statistic"] == "mean"]
    for score, (low, _) in bounds.items():
        published = means[means["score"] == score].set_index("site")["value"]
        if len(published):
            values = published.reindex(found["site"]).to_numpy()
            found[f"published_{score}"] = values
            found[f"{PAY}{score}"] = split_reward(values, floor=low)
    return found


def federation_tables(
    sites: pd.DataFrame, found: pd.DataFrame, promised: pd.DataFrame
) -> list[Table]:
    """Sites, how well each way to value them does, what persons are paid, and what is promised.

    Args:
        sites: as of `paid_sites`, with the columns scenario and seed.
        found: as of `gradval.federation.judgement.summary`.
        promised: rows as of `gradval.federation.guarantees.guarantees`, with the column scenario.
    """
    return [
        _sites_table(sites),
        _methods_table(found[~found["rule"].isin(PERSONS)]),
        _persons_table(found[found["rule"].isin(PERSONS)]),
        _guarantees_table(promised),
    ]


def _sites_table(sites: pd.DataFrame) -> Table:
    pays = [column for column in map(str, sites) if column.startswith(PAY)]
    blocks = []
    for scenario, group in sites.groupby("scenario", sort=False):
        rows = []
        for number, site in group.groupby("site"):
            first = site.iloc[0]
            rows.append(
                [
                    f"site {number}",
                    planted_label(first["planted"]),
                    f"{site['images'].mean():.0f}",
                    _spread(100 * site["shapley_accuracy"]),
                    _spread(100 * site["leave_out_accuracy"]),
                    *(_spread(100 * site[pay]) for pay in pays),
                ]
            )
        blocks.append(Block(pd.DataFrame(rows), f"Scenario {scenario}"))
    columns = [
        Column("Site"),
        Column("Planted"),
        Column("Images", "number"),
        Column("Shapley value", "number"),
        Column("Lost without it", "number"),
        *(Column(f"Paid by {score_label(p.removeprefix(PAY))} (%)", "number") for p in pays),
    ]
    return Table(
        "Sites", columns, blocks, NOTES[:2], intro="Means over seeds ± standard deviation."
    )


def _methods_table(found: pd.DataFrame) -> Table:
    blocks = []
    # Every epsilon of the plain rule; the others without noise, which the file has too.
    shown = found[(found["rule"] == "mean") | np.isinf(found["epsilon"])]
    for scenario, group in shown[shown["rule"] != "distance"].groupby("scenario", sort=False):
        rows = []
        for (method, rule, epsilon), one in group.groupby(
            ["method", "rule", "epsilon"], sort=False
        ):
            at = one.set_index("measure")
            rows.append(
                [
                    method_label(method),
                    RULE_LABELS[rule],
                    "" if rule == "baseline" else epsilon_label(epsilon),
                    _interval(at, "kendall_accuracy"),
                    _interval(at, "kendall_loss"),
                    _interval(at, "auroc_harmful"),
                    _interval(at, "paid_harmful", 100),
                    _interval(at, "noise_moved", 100),
                ]
            )
        blocks.append(Block(pd.DataFrame(rows), f"Scenario {scenario}"))
    columns = [
        Column("Value"),
        Column("Rule"),
        Column("Released at"),
        Column("Kendall, accuracy", "interval"),
        Column("Kendall, loss", "interval"),
        Column("AUROC (harmful paid)", "interval"),
        Column("Harmful paid", "interval"),
        Column("Moved by noise", "interval"),
    ]
    intro = "Means over seeds with 95% intervals of Student's t; none for one seed."
    return Table(
        "Do published values say what sites are worth?", columns, blocks, NOTES[2:], intro=intro
    )


def _persons_table(found: pd.DataFrame) -> Table:
    blocks = []
    for scenario, group in found.groupby("scenario", sort=False):
        rows = []
        for key, one in group.groupby(["method", "rule", "epsilon"], sort=False):
            method, rule, epsilon = cast("tuple[str, str, float]", key)
            at = one.set_index("measure")
            rows.append(
                [
                    method_label(method),
                    rule,
                    epsilon_label(epsilon),
                    _interval(at, "agreement"),
                    _interval(at, "auroc_harmful"),
                    _interval(at, "paid_harmful", 100),
                    _interval(at, "noise_moved", 100),
                ]
            )
        blocks.append(Block(pd.DataFrame(rows), f"Scenario {scenario}"))
    columns = [
        Column("Score"),
        Column("Unit"),
        Column("Released at"),
        Column("Rank correlation", "interval"),
        Column("AUROC (harmful paid)", "interval"),
        Column("Harmful paid", "interval"),
        Column("Moved by noise (%)", "interval"),
    ]
    intro = "Every person releases its own score under local privacy, and is paid for it."
    return Table("What persons would be paid", columns, blocks, PERSON_NOTES, intro=intro)


def _guarantees_table(promised: pd.DataFrame) -> Table:
    blocks = []
    for scenario, group in promised.groupby("scenario", sort=False):
        rows = [
            [
                "a sample" if hides == "sample" else f"a group of up to {one['members'].max()}",
                *(f"{one[column].max():.3g}" for column in ("training", "report", "together")),
                f"{one['delta'].max():g}",
                str(one["trusts"].iloc[0]),
            ]
            for hides, one in group.groupby("hides", sort=False)
        ]
        blocks.append(Block(pd.DataFrame(rows), f"Scenario {scenario}"))
    columns = [
        Column("Hides"),
        Column("ε of training", "number"),
        Column("ε of the report", "number"),
        Column("ε together", "number"),
        Column("δ", "number"),
        Column("Trusts"),
    ]
    intro = "The most over sites and seeds. Each site's ledger is in ledgers.json of its seed."
    return Table("What sites are promised", columns, blocks, GUARANTEE_NOTES, intro=intro)


def _spread(values: pd.Series) -> str:
    spread = f" ± {values.std():.1f}" if len(values) > 1 else ""
    return f"{values.mean():.1f}{spread}"


def _interval(at: pd.DataFrame, measure: str, factor: float = 1) -> str:
    if measure not in at.index:
        return "–"
    mean, low, high = (factor * float(at[column][measure]) for column in ("mean", "low", "high"))
    digits = 2 if factor == 1 else 1
    if np.isnan(low):
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
