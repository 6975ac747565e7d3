"""The scorecard for readers: every claim and number, in words, in every form."""

import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from html_text import Page

from gradval.evidence import (
    NOT_RUN,
    UNDECIDED,
    VERDICTS,
    Evidence,
    RunSetting,
    build_scorecard,
    read_claims,
)
from gradval.report.labels import labels_apart
from gradval.report.scorecard import TITLE, Ran, scorecard_tables, verdict_cell, write_scorecard
from gradval.report.tables import html_page, markdown_text
from gradval.study.experiments import Comparison, Side

CLAIMS = Path(__file__).parents[3] / "paper" / "claims.csv"


def comparison(name: str, a: Side, b: Side, class_name: str | None = None) -> Comparison:
    return Comparison(name, "digits", a, b, class_name=class_name)


COMPARISONS = {
    c.name: c
    for c in (
        comparison("fig2", Side("resnet9", "eps4", "vog"), Side("resnet18", "eps4", "vog"), "<2>"),
        *(
            comparison(
                f"dp-{score}",
                Side("resnet9", "nonprivate", score),
                Side("resnet9", "eps4", score),
            )
            for score in ("loss", "grad_norm", "vog", "plis")
        ),
    )
}
RAN = Ran(COMPARISONS, k=25, pearson_top=1440)


def statistics(
    comparison: str,
    measure: str,
    values: Sequence[float],
    pairing: str = "same seed",
    **changes: Any,
) -> pd.DataFrame:
    plain = {
        "comparison": comparison,
        "pairing": pairing,
        "seed_a": range(len(values)),
        "seed_b": range(len(values)),
        "statistic": measure,
        "value": values,
        "chance": 0.31,
    }
    return pd.DataFrame({**plain, **changes})


@pytest.fixture(scope="module")
def claims() -> pd.DataFrame:
    return read_claims(CLAIMS)


@pytest.fixture(scope="module")
def scorecard(claims: pd.DataFrame) -> pd.DataFrame:
    """Some claims measured, by substitutes; the others not run."""
    parts = [
        statistics("fig2", "ssim_matched", [0.5, 0.9]),
        statistics("fig2", "ssim_matched", [0.7], "other seed", seed_b=1),
        *(statistics("fig2", "ssim_matched", [0.72], f"ceiling {s}", seed_b=1) for s in "ab"),
        statistics("dp-loss", "pearson_top_a", [0.1, -0.3]),
        *(statistics(f"dp-{n}", "overlap", [9.0, 8.0]) for n in ("vog", "plis")),
        *(statistics(f"dp-{n}", "overlap", [3.0, 4.0]) for n in ("loss", "grad_norm")),
    ]
    actual = RunSetting(
        "digits", "resnet9", "resnet18", "eps4", "eps4", "digits for cifar10; <2> for bird"
    )
    private = RunSetting("digits", "resnet9", "resnet9", "nonprivate", "eps4", "digits for cifar10")
    actors = {name: actual if name == "fig2" else private for name in COMPARISONS}
    labels = partial(labels_apart, comparisons=COMPARISONS)
    return build_scorecard(claims, Evidence(statistics=pd.concat(parts)), actors, labels)


@pytest.fixture(scope="module")
def rows(scorecard: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """The rows of the table of claims, by id."""
    _, table = scorecard_tables(scorecard, claims, RAN)
    return table.blocks[0].rows.set_index(scorecard["id"])


def test_a_claim_in_words(rows: pd.DataFrame) -> None:
    row = rows.loc["fig2-ssim"]
    assert row["Claim"].text == "largest-VoG images agree between two large models"
    assert row["Claim"].detail == (
        "section 4, Figure 2: VoG, WideResNet-50 against ResNet-101, ε = 4, CIFAR-10, class bird, "
        "largest; fig2-ssim"
    )
    assert row["Claim"].anchor == "fig2-ssim"
    assert row["Found"].detail == (
        "VoG, ResNet-9 against ResNet-18, ε = 4, digits, class <2>, 25 largest "
        "(substitute: digits for CIFAR-10; <2> for bird)"
    )
    numbers = row[["Statistic", "Paper", "Ours", "95% interval", "Seeds", "Chance", "Draw ceiling"]]
    assert numbers.tolist() == ["SSIM", "0.552", "0.70", "[−1.84, 3.24]", "2", "0.31", ""]
    assert str(row["Verdict"]) == f"? {UNDECIDED}" and row["Verdict"].dashed
    assert row["Scale"].text == "substitute" and row["Number"] == ""
    assert row["Margin"] == "0.08"  # how far within 0.1 of the ceiling; two seeds have no interval


def test_a_correlation_names_the_samples_that_it_is_of(rows: pd.DataFrame) -> None:
    assert rows.loc["loss-pearson", "Found"].detail.startswith(
        "Loss, ResNet-9, non-private against ε = 4, digits, top 1,440 ("
    )


def test_what_stands_side_by_side_is_told_apart_by_what_differs(rows: pd.DataFrame) -> None:
    reading = rows.loc["fig3", "Found"].text
    assert "VoG: 8.5, PLIS: 8.5, Loss: 3.5, Gradient norm: 3.5" in reading
    assert "every score" in rows.loc["fig3", "Claim"].detail


def test_sentences_are_printed_with_their_signs(rows: pd.DataFrame) -> None:
    assert rows.loc["plis-eps-1", "Claim"].text.startswith("at ε = 1 a very different set")
    assert "−0.10 [−2.64, 2.44]" in rows.loc["loss-pearson", "Found"].text
    assert rows.loc["fig6-ssim", "Found"].text == "the config trains none of its settings"


def test_no_identifier_is_shown_but_the_claims_own(rows: pd.DataFrame) -> None:
    for identifier, row in rows.iterrows():
        text = " ".join(map(str, row)).replace(str(identifier), "")
        for raw in ("grad_norm", "resnet", "eps4", "nonprivate", "cifar10", "pearson_top", "dp-"):
            assert raw not in text, (identifier, text)


def test_verdicts_are_counted_and_told_apart_without_colour(
    scorecard: pd.DataFrame, claims: pd.DataFrame
) -> None:
    counts, _ = scorecard_tables(scorecard, claims)
    shown = counts.blocks[0].rows
    assert [cell.text for cell in shown["Verdict"]] == list(VERDICTS)
    assert shown["Claims"].astype(int).sum() == len(scorecard)
    signs = {verdict: verdict_cell(verdict).sign for verdict in VERDICTS}
    assert len(set(signs.values())) == 4 and signs[NOT_RUN] == "–"


def test_html_holds_every_claim_and_escapes_it(
    scorecard: pd.DataFrame, claims: pd.DataFrame
) -> None:
    source = html_page(TITLE, scorecard_tables(scorecard, claims, RAN))
    page = Page(source)
    assert [cell["id"] for cell in page.all("td") if "id" in cell] == scorecard["id"].tolist()
    for row in scorecard.itertuples():
        assert row.paper in page.cells and f"; {row.id}" in page.text
    assert "class <2>, 25 largest" in page.text and "<2>" not in source
    assert '<span aria-hidden="true">?</span>' in source


def test_markdown_is_one_row_a_claim(scorecard: pd.DataFrame, claims: pd.DataFrame) -> None:
    lines = markdown_text(TITLE, scorecard_tables(scorecard, claims, RAN)).splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("| Claim |"))
    table = lines[header : header + len(scorecard) + 2]
    assert {row.replace("\\|", "").count("|") for row in table} == {16}
    assert all(i in row for i, row in zip(scorecard["id"], table[2:], strict=True))
    assert table[1].count("---:") == 9  # numbers stand on the right


def test_runs_that_have_learnt_nothing_are_said_at_the_top(
    scorecard: pd.DataFrame, claims: pd.DataFrame
) -> None:
    counts, _ = scorecard_tables(scorecard, claims, RAN, notes=["ResNet-9 is no better."])
    assert "ResNet-9 is no better." in markdown_text(TITLE, [counts])


def test_csv_keeps_everything_and_is_shown_the_same(
    scorecard: pd.DataFrame, claims: pd.DataFrame, tmp_path: Path
) -> None:
    paths = [tmp_path / f"scorecard.{form}" for form in ("csv", "md", "html")]
    write_scorecard(scorecard, paths, claims, RAN)
    text = paths[0].read_text(encoding="utf-8")
    again = pd.read_csv(io.StringIO(text))
    assert again.columns.tolist() == scorecard.columns.tolist()
    np.testing.assert_allclose(again["ours"], scorecard["ours"])
    tables = scorecard_tables(again, claims, RAN)
    assert paths[1].read_text(encoding="utf-8") == markdown_text(TITLE, tables)
    assert paths[2].read_text(encoding="utf-8") == html_page(TITLE, tables)
