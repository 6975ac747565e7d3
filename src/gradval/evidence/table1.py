"""Table 1: test accuracy after removing the samples with the largest scores and resuming.

The paper's columns are the four scores, its rows the privacy levels. Here stand beside them two
controls, random removal and no removal, the spread over seeds, and differences from random removal
that are paired by seed. Draws are clustered: those of a seed share its initial weights, so that
their mean is one value. `gradval.report.table1` puts it on paper.
"""

import math
from collections.abc import Iterator, Mapping

import pandas as pd

from gradval.evidence.claims import parse_claims
from gradval.evidence.intervals import paired_difference, summarise
from gradval.evidence.results import checked
from gradval.study.names import privacy_order, score_order

EPSILONS = ("epsilon_kept", "epsilon_removed")

Paper = Mapping[tuple[str, str], float]


def table1(runs: pd.DataFrame) -> pd.DataFrame:
    """Compute Table 1, one row a privacy level and removal.

    Args:
        runs: pruned runs of one data set and model; columns dataset, model, privacy, seed, draw,
            removal, train_accuracy and test_accuracy in [0, 1], training_seconds, and optionally
            epsilon_kept, epsilon_removed and randomness (of a ledger).

    Returns:
        Columns dataset, model, privacy, removal; test_accuracy (mean, %), test_accuracy_sd, n
        (seeds), draws (of a seed, at most), test_accuracy_low and _high (95% interval of the
        mean); difference (test accuracy minus that after random removal, points, paired by seed),
        difference_n, difference_low and _high (95% interval), NaN for random removal itself;
        train_accuracy (mean, %); relative_time (training time / that without removal, mean of the
        ratios of a seed);
        epsilon_kept and epsilon_removed (largest of the seeds) if given; seeded, whether the noise
        of any run was, if randomness is given. Non-private comes first, then ε by value; the
        paper's scores, others, random and no removal, raw scores before released ones.

    Raises:
        ValueError: there is no run, they are of several data sets or models, one occurs twice, a
            column is missing, an accuracy is not in [0, 1], or a privacy level is unknown.
    """
    runs = checked(runs, "runs")
    if runs.empty:
        raise ValueError("Table 1 needs at least one pruned run, got none")
    settings = runs[["dataset", "model"]].drop_duplicates()
    if len(settings) > 1:
        found = ", ".join(settings["dataset"] + "/" + settings["model"])
        raise ValueError(f"Table 1 is of one data set and one model, got {found}")
    rows = [
        {**settings.iloc[0], "privacy": privacy, **row}
        for privacy in privacy_order(runs["privacy"])
        for row in _level(runs[runs["privacy"] == privacy], privacy)
    ]
    return pd.DataFrame(rows)


def _level(runs: pd.DataFrame, privacy: str) -> Iterator[dict[str, str | float]]:
    """The rows of one privacy level."""

    def column(name: str, removal: str) -> pd.Series:
        return runs[runs["removal"] == removal].groupby("seed")[name].mean().astype(float)

    random = 100 * column("test_accuracy", "random")
    whole = column("training_seconds", "none")
    for removal in score_order(runs["removal"]):
        accuracy = 100 * column("test_accuracy", removal)
        test = summarise(accuracy)
        # Against itself a difference of exactly zero would look like a result.
        difference = paired_difference(accuracy, random[:0] if removal == "random" else random)
        yield {
            "removal": removal,
            "test_accuracy": test.mean,
            "test_accuracy_sd": test.sd,
            "n": test.n,
            "draws": int(runs[runs["removal"] == removal].groupby("seed").size().max()),
            "test_accuracy_low": test.low,
            "test_accuracy_high": test.high,
            "difference": difference.mean,
            "difference_n": difference.n,
            "difference_low": difference.low,
            "difference_high": difference.high,
            "train_accuracy": summarise(100 * column("train_accuracy", removal)).mean,
            "relative_time": summarise(column("training_seconds", removal) / whole).mean,
            **{name: column(name, removal).max() for name in EPSILONS if name in runs},
            **({"seeded": _is_seeded(runs, removal)} if "randomness" in runs else {}),
        }


def _is_seeded(runs: pd.DataFrame, removal: str) -> bool:
    return bool((runs.loc[runs["removal"] == removal, "randomness"] == "seeded").any())


def paper_table1(claims: pd.DataFrame) -> dict[tuple[str, str], float]:
    """The paper's own values from a claims table: (privacy, removal) -> test accuracy in %."""
    return {
        (claim.at[0], claim.sources[0]): claim.value
        for claim in parse_claims(claims)
        if claim.kind == "removal" and not math.isnan(claim.value)
    }
