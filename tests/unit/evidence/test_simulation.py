"""Simulated studies through the verdict code: a small version of the kept table."""

from pathlib import Path

import pandas as pd
import pytest
import scipy.stats

from gradval.evidence import read_claims
from gradval.evidence.simulation import verdict_rates

CLAIMS = next(p for p in Path(__file__).parents[3].glob("*/claims.csv"))
KEPT = Path(__file__).parents[3] / "docs" / "evidence" / "simulated_studies.csv"
STUDIES = 4


@pytest.fixture(scope="module")
def claims() -> pd.DataFrame:
    claims = read_claims(CLAIMS)
    chosen = ["loss-pearson", "fig3", "fig6-ssim", "fig10", "overlap-cifar10-chance"]
    chosen += ["table1-contrast", "interaction", "vog-all-levels"]
    printed = claims["id"].str.startswith("table1-") & (claims["value"] != "ordering only")
    return claims[claims["id"].isin(chosen) | printed].reset_index(drop=True)


def test_nothing_is_supported_without_an_effect(claims: pd.DataFrame) -> None:
    rates = verdict_rates(claims, effects=[0.0], seeds=5, studies=STUDIES)
    # All claims together: at 5% each, so many false verdicts have a probability below 1 in 1,000.
    single = rates[rates["id"] != "any"]
    judged = STUDIES * len(single)
    wrong = round(float(single["supported"].sum()) * STUDIES)
    assert wrong <= scipy.stats.binom.isf(0.001, judged, 0.05)
    cells = rates[(rates["id"] == "any") & (rates["family"] == "cells of Table 1")]
    assert cells["supported"].iloc[0] * STUDIES <= scipy.stats.binom.isf(0.001, STUDIES, 0.05)


def test_the_papers_effect_is_found(claims: pd.DataFrame) -> None:
    rates = verdict_rates(claims, effects=[1.0], seeds=5, studies=4).set_index("id")["supported"]
    sure = ["loss-pearson", "fig3", "overlap-cifar10-chance", "table1-contrast", "interaction"]
    assert (rates[sure] == 1).all()
    assert rates["fig10"] == 0  # five seeds of five cannot show that more than half differ


def test_two_seeds_support_nothing_about_seeds(claims: pd.DataFrame) -> None:
    rates = verdict_rates(claims, effects=[2.0], seeds=2, studies=3).set_index("id")
    about_seeds = rates.drop(index=["overlap-cifar10-chance", "any"])
    assert (about_seeds["undecided"] == 1).all()
    assert rates.loc["overlap-cifar10-chance", "supported"] == 1  # exact, over samples


def test_kept_table_keeps_its_promise() -> None:
    """At most 5% "supported" without an effect, up to the error of so many studies."""
    kept = pd.read_csv(KEPT)
    assert set(kept["effect"]) == {0, 0.5, 1, 2}
    none = kept[(kept["effect"] == 0) & (kept["id"] != "any")]
    limit = scipy.stats.binom.isf(0.05 / len(none), none["studies"], 0.05) / none["studies"]
    assert (none["supported"] <= limit).all()
    assert none["supported"].mean() <= 0.05
    about_seeds = kept[(kept["seeds"] < 5) & ~kept["family"].eq("overlaps")]
    assert (about_seeds["supported"] == 0).all()
