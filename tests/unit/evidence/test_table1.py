"""Table 1: statistics by hand, and order."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pruned_runs import table1_runs

from gradval.evidence import read_claims
from gradval.evidence.table1 import paper_table1, table1

CLAIMS = Path(__file__).parents[3] / "paper" / "claims.csv"
ORDER = ["loss", "grad_norm", "vog", "plis", "elsewhere", "random", "none"]


@pytest.fixture()
def runs() -> pd.DataFrame:
    return table1_runs()


def cell(table: pd.DataFrame, removal: str, privacy: str = "eps1") -> pd.Series:
    rows = table[(table["privacy"] == privacy) & (table["removal"] == removal)]
    assert len(rows) == 1
    return rows.iloc[0]


# --- statistics ---------------------------------------------------------------------------------


def test_a_cell_by_hand(runs: pd.DataFrame) -> None:
    row = cell(table1(runs), "vog")
    assert row["test_accuracy"] == pytest.approx(52.0) and row["n"] == 3
    assert row["test_accuracy_sd"] == pytest.approx(3.0)
    half = 4.302653 * 3 / math.sqrt(3)  # the 97.5% quantile of t with 2 degrees of freedom
    interval = (row["test_accuracy_low"], row["test_accuracy_high"])
    assert interval == pytest.approx((52 - half, 52 + half), abs=1e-5)
    assert row["train_accuracy"] == pytest.approx(80.0)
    assert row["relative_time"] == pytest.approx(0.8)
    assert (row["dataset"], row["model"]) == ("digits", "resnet9")


def test_differences_from_random_are_paired(runs: pd.DataFrame) -> None:
    row = cell(table1(runs), "vog")  # -1, -2, -3 points
    assert (row["difference"], row["difference_n"]) == (pytest.approx(-2.0), 3)
    half = 4.302653 / math.sqrt(3)
    interval = (row["difference_low"], row["difference_high"])
    assert interval == pytest.approx((-2 - half, -2 + half), abs=1e-5)
    # Not the interval of two independent means, which would be far wider.
    assert row["difference_high"] < 1


def test_seeds_are_matched_not_counted(runs: pd.DataFrame) -> None:
    shuffled = runs.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(table1(shuffled), table1(runs))
    fewer = runs[~((runs["removal"] == "random") & (runs["seed"] == 0))]
    row = cell(table1(fewer), "vog")
    assert (row["difference"], row["difference_n"], row["n"]) == (pytest.approx(-2.5), 2, 3)


def test_the_draws_of_a_seed_are_one_value(runs: pd.DataFrame) -> None:
    """They share its initial weights: twice as many runs make no interval narrower."""
    spread = pd.concat(
        [
            runs.assign(draw=draw, test_accuracy=runs["test_accuracy"] + shift)
            for draw, shift in enumerate((-0.01, 0.01))
        ]
    )
    assert (table1(runs)["draws"] == 1).all() and (table1(spread)["draws"] == 2).all()
    pd.testing.assert_frame_equal(
        table1(spread).drop(columns="draws"), table1(runs).drop(columns="draws")
    )


def test_random_is_not_compared_with_itself(runs: pd.DataFrame) -> None:
    row = cell(table1(runs), "random")
    assert math.isnan(row["difference"]) and row["difference_n"] == 0
    assert cell(table1(runs), "none")["difference"] == pytest.approx(8.0)


def test_time_is_the_mean_ratio_of_a_seed(runs: pd.DataFrame) -> None:
    vog = runs["removal"] == "vog"
    runs.loc[vog, "training_seconds"] = [10.0, 100.0, 70.0]
    whole = (runs["removal"] == "none") & (runs["privacy"] == "eps1")
    runs.loc[whole, "training_seconds"] = [10.0, 200.0, 100.0]
    table = table1(runs)
    assert cell(table, "vog")["relative_time"] == pytest.approx((1 + 0.5 + 0.7) / 3)
    assert cell(table, "none")["relative_time"] == pytest.approx(1.0)


def test_missing_controls_leave_gaps(runs: pd.DataFrame) -> None:
    row = cell(table1(runs), "plis", "eps10")
    assert row["test_accuracy"] == pytest.approx(60.0) and row["n"] == 1
    gaps = ["test_accuracy_sd", "test_accuracy_low", "difference", "relative_time"]
    assert row[gaps].isna().all()


def test_order_of_rows_and_removals(runs: pd.DataFrame) -> None:
    table = table1(runs)
    assert table["privacy"].unique().tolist() == ["nonprivate", "eps1", "eps4", "eps10"]
    for _, level in table.groupby("privacy"):
        removals = level["removal"].tolist()
        assert removals == [removal for removal in ORDER if removal in removals]


def test_epsilons_only_if_given(runs: pd.DataFrame) -> None:
    assert "epsilon_kept" not in table1(runs)
    private = runs.assign(epsilon_kept=np.arange(len(runs)) / 10, epsilon_removed=0.4)
    row = cell(table1(private), "random")
    assert row["epsilon_kept"] == pytest.approx(0.5) and row["epsilon_removed"] == 0.4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs: runs.iloc[:0], "needs at least one pruned run"),
        (lambda runs: runs.drop(columns="seed"), "runs: missing column.s. seed"),
        (lambda runs: pd.concat([runs, runs.iloc[:1]]), "occurs twice: digits, resnet9, eps1, 0"),
        (lambda runs: runs.assign(test_accuracy=56.0), "test_accuracy must lie in"),
        (lambda runs: runs.replace("eps4", "epsilon4"), "'epsilon4' is not allowed"),
        (
            lambda runs: runs.assign(model=["a", "b"] + ["a"] * (len(runs) - 2)),
            "one data set and one model, got digits/a, digits/b",
        ),
    ],
)
def test_bad_runs(runs: pd.DataFrame, change, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message) as error:
        table1(change(runs))
    assert "\n" not in str(error.value)


def test_values_of_the_paper() -> None:
    paper = paper_table1(read_claims(CLAIMS))
    assert len(paper) == 12
    assert paper["eps1", "loss"] == 56.6 and paper["eps8", "plis"] == 58.0
    assert paper["eps4", "grad_norm"] == 61.8
