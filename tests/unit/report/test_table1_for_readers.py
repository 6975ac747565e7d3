"""Table 1 for readers: every number in its place, in every form."""

import io
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from html_text import Page
from pruned_runs import pruned, table1_runs

from gradval.evidence.table1 import table1
from gradval.privacy.ledger import SEEDED_NOTICE
from gradval.report.table1 import (
    CAPTION,
    RELEASED_NOTE,
    SELECTION_NOTE,
    removal_table,
    write_table1,
)
from gradval.report.tables import html_page, latex_table, markdown_text

PAPER = {("eps1", "loss"): 56.6, ("eps1", "vog"): 52.4, ("eps4", "loss"): 63.6}
SUBSTITUTE = "digits for cifar10; 25% & more for resnet18"
SUBSTITUTE_LABEL = "digits for CIFAR-10; 25% & more for ResNet-18"


@pytest.fixture()
def runs() -> pd.DataFrame:
    return table1_runs()


def markdown(table: pd.DataFrame, **options: object) -> str:
    """Table 1 in Markdown."""
    one = removal_table(table, **options)  # type: ignore[arg-type]
    return markdown_text(one.caption, [one])


def shown(runs: pd.DataFrame) -> str:
    return markdown(table1(runs), paper=PAPER, substitutes=SUBSTITUTE)


def test_markdown(runs: pd.DataFrame) -> None:
    text = shown(runs)
    header = "| Privacy | Loss | Gradient norm | VoG | PLIS | elsewhere | Random | No removal |"
    assert header in text
    assert "| ε = 1 | 56.7 ± 4.7 | – | 52.0 ± 3.0 | – | – | 54.0 ± 4.0 | 62.0 ± 2.0 |" in text
    assert "| ε = 1 | 56.6 | – | 52.4 | – | – | – | – |" in text
    assert "−2.0 [−4.5, 0.5]" in text
    assert "| non-private | – | – | – | – | 50.0 | – | 70.0 |" in text
    assert SELECTION_NOTE in text and "over 1 to 3 seeds" in text
    assert text.splitlines()[0] == f"# {CAPTION} (substitute: {SUBSTITUTE_LABEL})"
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert {line.count("|") for line in table.splitlines()} == {9}


def test_rows_without_content_are_left_out(runs: pd.DataFrame) -> None:
    plain = markdown(table1(runs))
    assert "paper reports" not in plain and "tand-in" not in plain and "spent" not in plain
    single = table1(pruned("loss", [0.5], privacy="nonprivate"))
    text = markdown(single)
    assert SELECTION_NOTE not in text and "Difference" not in text and "±" not in text
    assert "mean over 1 seed." in text


def test_epsilons_are_shown(runs: pd.DataFrame) -> None:
    private = runs.assign(epsilon_kept=1.0, epsilon_removed=0.456)
    private.loc[private["privacy"] == "nonprivate", ["epsilon_kept", "epsilon_removed"]] = np.nan
    text = markdown(table1(private)).split("**ε spent")[1]
    assert "1.00 / 0.46" in text and "non-private" not in text


def test_seeded_noise_is_named_beside_the_epsilons(runs: pd.DataFrame) -> None:
    private = runs["privacy"] != "nonprivate"
    for randomness, named in (("seeded", True), ("secret", False)):
        some = runs.assign(randomness=np.where(private, randomness, ""))
        assert (SEEDED_NOTICE in markdown(table1(some))) == named
    # One seeded run among secret ones is enough.
    some.loc[some.index[private][0], "randomness"] = "seeded"
    assert SEEDED_NOTICE in markdown(table1(some))
    assert SEEDED_NOTICE not in markdown(table1(runs))


def test_released_scores_have_rows_of_their_own(runs: pd.DataFrame) -> None:
    assert RELEASED_NOTE not in markdown(table1(runs))
    released = [
        pruned("vog_released", [0.51, 0.53, 0.55], epsilon_kept=1.0, epsilon_removed=0.7),
        pruned("elsewhere_released", [0.4], privacy="eps10"),
    ]
    table = table1(pd.concat([runs, *released], ignore_index=True))
    order = ["loss", "vog", "vog_released", "random", "none"]
    assert table.loc[table["privacy"] == "eps1", "removal"].tolist() == order
    text = markdown(table)
    header = "| Privacy | Loss | Gradient norm | VoG | PLIS | elsewhere | Random | No removal |"
    assert header in text and SELECTION_NOTE in text and RELEASED_NOTE in text
    assert "| ε = 1, released | – | – | 53.0 ± 2.0 | – | – | – | – |" in text
    assert "| ε = 1, released | – | – | 1.00 / 0.70 | – | – | – | – |" in text
    assert "| ε = 10, released | – | – | – | – | 40.0 | – | – |" in text
    assert "ε = 4, released" not in text
    # Differences are those from the random removal of the same level: 1, -1, -3 points.
    assert "| ε = 1, released | – | – | −1.0 [−6.0, 4.0] |" in text
    only = pd.concat([pruned("vog_released", [0.5]), pruned("random", [0.5])])
    assert SELECTION_NOTE not in markdown(table1(only))


def test_rounding_has_no_negative_zero() -> None:
    frames = [pruned("loss", [0.5, 0.5999]), pruned("random", [0.5, 0.6])]
    text = markdown(table1(pd.concat(frames)))
    assert "0.0 [" in text and "−0.0 [" not in text


def test_names_are_printed_not_identifiers(runs: pd.DataFrame) -> None:
    text = shown(runs)
    assert "Data set digits, model ResNet-9;" in text and SUBSTITUTE_LABEL in text
    for raw in ("resnet9", "grad_norm", "eps1", "nonprivate", "cifar10"):
        assert raw not in text


def test_html_and_latex_show_what_markdown_shows(runs: pd.DataFrame) -> None:
    table = removal_table(table1(runs), paper=PAPER, substitutes=SUBSTITUTE)
    page = Page(html_page(table.caption, [table]))
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in markdown_text(table.caption, [table]).splitlines()
        if line.startswith(("| ε", "| non"))
    ]
    cells = "\n".join(page.cells)
    assert len(rows) > 10 and all("\n".join(row) in cells for row in rows)
    assert SUBSTITUTE_LABEL in page.text
    latex = latex_table(table, "tab:removal")
    assert r"$\varepsilon$ = 1 & 56.7 $\pm$ 4.7 & -- & 52.0 $\pm$ 3.0" in latex
    assert r"(substitute: digits for CIFAR-10; 25\% \& more for ResNet-18)" in latex
    assert "$-$2.0 [$-$4.5, 0.5]" in latex and "itself not private" in latex
    assert latex.count(r"\\") == len(rows) + len(table.blocks) + 1


def test_table1_is_written_by_suffix(runs: pd.DataFrame, tmp_path: Path) -> None:
    paths = [tmp_path / f"table1.{form}" for form in ("csv", "md", "tex", "html")]
    table = table1(runs)
    write_table1(table, paths, paper=PAPER, substitutes=SUBSTITUTE)
    assert (tmp_path / "table1.md").read_text(encoding="utf-8") == shown(runs)
    again = pd.read_csv(io.StringIO((tmp_path / "table1.csv").read_text(encoding="utf-8")))
    pd.testing.assert_frame_equal(again[table.columns], table, check_dtype=False)
    assert set(again["substitutes"]) == {SUBSTITUTE}
    papers = again.set_index(["privacy", "removal"])["paper"]
    assert papers["eps1", "loss"] == 56.6 and math.isnan(papers["eps1", "none"])
    with pytest.raises(ValueError, match="the suffix must be one of"):
        write_table1(table, [tmp_path / "table1.pdf"])
