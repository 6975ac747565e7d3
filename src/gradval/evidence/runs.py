"""What claims about accuracies and costs of runs are about, one value a seed."""

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd

from gradval.evidence.claims import Claim
from gradval.evidence.intervals import summarise
from gradval.evidence.results import PAPER_FRACTION
from gradval.study.names import NON_PRIVATE, privacy_order

# Level of a removal claim: every private one, or the non-private one too.
EACH, ALL = "each", "all"


def scoring_gradients(samples: int, checkpoints: int) -> int:
    """How many gradients the four scores of the paper take, each of one sample.

    VoG takes one at each checkpoint; loss, gradient norm and PLIS share one at the final weights,
    and PLIS takes a second backward, which counts as one more.
    """
    return samples * (checkpoints + 2)


def removal_parts(
    claim: Claim, runs: pd.DataFrame
) -> tuple[Mapping[tuple[str, str], pd.Series], pd.Series, Mapping[str, float]] | None:
    """Differences of accuracy that a claim about removals is about.

    Args:
        claim: of the kind removal.
        runs: the pruned runs of its data set and model.

    Returns:
        (privacy level, name) -> difference in points by seed; our value by seed: the accuracy in
        percent of a single removal at a single level, otherwise the mean difference; and the mean
        accuracy of what the rule compares with. None if any of that was not run.
    """
    fraction = float(claim.at[1]) if len(claim.at) > 1 else PAPER_FRACTION
    rows = runs[np.isclose(runs["fraction"].astype(float), fraction)]
    levels = _levels(claim.at[0], rows)
    named = [r for r in claim.rule.references if r not in ("next", "previous_level")]
    rows = rows[rows["privacy"].isin(levels) & rows["removal"].isin([*claim.sources, *named])]
    means = 100 * rows.groupby(["privacy", "removal", "seed"])[claim.measure].mean().dropna()
    table = {
        (str(level), str(removal)): means.xs((level, removal), level=("privacy", "removal"))
        for level, removal in rows[["privacy", "removal"]].drop_duplicates().itertuples(index=False)
    }
    needed = [(level, removal) for level in levels for removal in (*claim.sources, *named)]
    if not levels or any(key not in table or table[key].empty for key in needed):
        return None
    differences = _differences(claim, levels, table)
    if not differences or any(not d.notna().any() for d in differences.values()):
        return None
    single = len(levels) * len(claim.sources) == 1
    ours = table[needed[0]] if single else pd.concat(differences, axis=1).dropna().mean(axis=1)
    others = {r: summarise(pd.concat([table[lv, r] for lv in levels])).mean for r in named}
    return differences, ours, others


def saving(claim: Claim, runs: pd.DataFrame) -> pd.Series:
    """Share of the gradients that removal saves, in percent, by seed; empty if not recorded."""
    rows = runs[np.isclose(runs["fraction"].astype(float), PAPER_FRACTION)]
    keys = ["dataset", "model", "privacy", "seed", "draw"]
    whole = rows.loc[rows["removal"] == "none", [*keys, "training_gradients"]]
    pruned = rows[rows["removal"].isin(claim.sources)]
    pairs = pruned.merge(whole, on=keys, suffixes=("", "_whole"))
    spent = pairs["training_gradients"].astype(float)
    if claim.measure == "all_gradients":
        spent = spent + pairs["scoring_gradients"].astype(float)
    saved = 100 * (1 - spent / pairs["training_gradients_whole"].astype(float))
    return saved.groupby(pairs["seed"]).mean().dropna()


def overhead(full: pd.DataFrame) -> dict[tuple[str, ...], pd.Series]:
    """Data set, model and level -> gradients for scores / those for training, by seed."""
    # A model that came with checkpoints of its own was not trained here.
    full = full[full["training_gradients"] > 0]
    ratio = (full["scoring_gradients"] / full["training_gradients"]).astype(float)
    found = {
        tuple(map(str, setting)): ratio[part.index].groupby(part["seed"]).mean().dropna()
        for setting, part in full.groupby(["dataset", "model", "privacy"])
    }
    return {name: values for name, values in found.items() if len(values)}


def _levels(at: str, rows: pd.DataFrame) -> list[str]:
    """The privacy levels that a claim is about, from the strictest; non-private comes last."""
    if at not in (EACH, ALL):
        return [at]
    order = privacy_order(map(str, rows["privacy"].unique()))
    private = [privacy for privacy in order if privacy != NON_PRIVATE]
    return [*private, *order[:1]] if at == ALL and order[:1] == [NON_PRIVATE] else private


def _differences(
    claim: Claim, levels: list[str], table: Mapping[tuple[str, str], pd.Series]
) -> dict[tuple[str, str], pd.Series]:
    references = claim.rule.references
    if references == ("next",):
        chain = list(itertools.pairwise(claim.sources))
        return {
            (level, f"{a} against {b}"): table[level, a] - table[level, b]
            for level in levels
            for a, b in chain
        }
    if references == ("previous_level",):
        return {
            (level, name): table[level, name] - table[before, name]
            for before, level in itertools.pairwise(levels)
            for name in claim.sources
        }
    if not references:
        return {(level, name): table[level, name] for level in levels for name in claim.sources}
    return {
        (level, f"{name} against {other}"): table[level, name] - table[level, other]
        for level in levels
        for name in claim.sources
        for other in references
    }
