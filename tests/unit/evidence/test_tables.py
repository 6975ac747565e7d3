"""Table 1: statistics by hand, order, and its renderings."""

import io
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gradval.evidence import read_claims
from gradval.evidence.table1 import (
    CAPTION,
    RELEASED_NOTE,
    SELECTION_NOTE,
    paper_table1,
    render_table1,
    table1,
    write_table1,
)

CLAIMS = Path(__file__).parents[3] / "workflow" / "claims.csv"
PAPER = {("eps1", "loss"): 56.6, ("eps1", "vog"): 52.4, ("eps4", "loss"): 63.6}
ORDER = ["loss", "grad_norm", "vog", "plis", "elsewhere", "random", "none"]


def pruned(
    removal: str, test: list[float], privacy: str = "eps1", seconds: float = 80.0, **more: object
) -> pd.DataFrame:
    """Runs of one removal, one a seed."""
    plain = {"dataset": "digits", "model": "resnet9", "privacy": privacy, "removal": removal}
    plain |= {"train_accuracy": 0.9, "training_seconds": seconds, **more}
    return pd.DataFrame({"seed": range(len(test)), "test_accuracy": test}).assign(**plain)


@pytest.fixture()
def runs() -> pd.DataFrame:
    """Two privacy levels out of order, three seeds, some cells missing."""
    return pd.concat(
        [
            pruned("none", [0.60, 0.62, 0.64], seconds=100.0),
            pruned("random", [0.50, 0.54, 0.58]),
            pruned("vog", [0.49, 0.52, 0.55], train_accuracy=[0.7, 0.8, 0.9]),
            pruned("loss", [0.53, 0.55, 0.62], seconds=50.0),
            pruned("none", [0.7], privacy="nonprivate"),
            pruned("elsewhere", [0.5], privacy="nonprivate"),
            pruned("plis", [0.6], privacy="eps10"),
            pruned("grad_norm", [0.6], privacy="eps4"),
            pruned("random", [0.65], privacy="eps4"),
        ],
        ignore_index=True,
    )


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


# --- rendering ----------------------------------------------------------------------------------


def render(runs: pd.DataFrame, form: str) -> str:
    return render_table1(table1(runs), form, paper=PAPER, stand_in="digits for CIFAR-10 & 25%")


def test_csv_is_long(runs: pd.DataFrame) -> None:
    table = table1(runs)
    again = pd.read_csv(io.StringIO(render(runs, "csv")))
    pd.testing.assert_frame_equal(again[table.columns], table, check_dtype=False)
    assert set(again["stand_in"]) == {"digits for CIFAR-10 & 25%"}
    assert cell(again, "loss")["paper"] == 56.6 and math.isnan(cell(again, "none")["paper"])


def test_markdown(runs: pd.DataFrame) -> None:
    text = render(runs, "md")
    header = "| Privacy | Loss | Gradient norm | VoG | PLIS | elsewhere | Random | No removal |"
    assert header in text
    assert "| ε = 1 | 56.7 ± 4.7 | – | 52.0 ± 3.0 | – | – | 54.0 ± 4.0 | 62.0 ± 2.0 |" in text
    assert "| ε = 1 | 56.6 | – | 52.4 | – | – | – | – |" in text
    assert "−2.0 [−4.5, 0.5]" in text
    assert "| non-private | – | – | – | – | 50.0 | – | 70.0 |" in text
    assert SELECTION_NOTE in text and "over 1 to 3 seeds" in text
    assert text.splitlines()[0] == f"# {CAPTION} (stand-in: digits for CIFAR-10 & 25%)"
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert {line.count("|") for line in table.splitlines()} == {9}


def test_rows_without_content_are_left_out(runs: pd.DataFrame) -> None:
    plain = render_table1(table1(runs), "md")
    assert "paper reports" not in plain and "tand-in" not in plain and "spent" not in plain
    single = table1(pruned("loss", [0.5], privacy="nonprivate"))
    text = render_table1(single, "md")
    assert SELECTION_NOTE not in text and "Difference" not in text and "±" not in text
    assert "mean over 1 seed." in text


def test_epsilons_are_shown(runs: pd.DataFrame) -> None:
    private = runs.assign(epsilon_kept=1.0, epsilon_removed=0.456)
    private.loc[private["privacy"] == "nonprivate", ["epsilon_kept", "epsilon_removed"]] = np.nan
    text = render_table1(table1(private), "md").split("**ε spent")[1]
    assert "1.00 / 0.46" in text and "non-private" not in text


def test_released_scores_have_rows_of_their_own(runs: pd.DataFrame) -> None:
    assert RELEASED_NOTE not in render_table1(table1(runs), "md")
    released = [
        pruned("vog_released", [0.51, 0.53, 0.55], epsilon_kept=1.0, epsilon_removed=0.7),
        pruned("elsewhere_released", [0.4], privacy="eps10"),
    ]
    table = table1(pd.concat([runs, *released], ignore_index=True))
    order = ["loss", "vog", "vog_released", "random", "none"]
    assert table.loc[table["privacy"] == "eps1", "removal"].tolist() == order
    text = render_table1(table, "md")
    header = "| Privacy | Loss | Gradient norm | VoG | PLIS | elsewhere | Random | No removal |"
    assert header in text and SELECTION_NOTE in text and RELEASED_NOTE in text
    assert "| ε = 1, released | – | – | 53.0 ± 2.0 | – | – | – | – |" in text
    assert "| ε = 1, released | – | – | 1.00 / 0.70 | – | – | – | – |" in text
    assert "| ε = 10, released | – | – | – | – | 40.0 | – | – |" in text
    assert "ε = 4, released" not in text
    # Differences are those from the random removal of the same level: 1, -1, -3 points.
    assert "| ε = 1, released | – | – | −1.0 [−6.0, 4.0] |" in text
    only = pd.concat([pruned("vog_released", [0.5]), pruned("random", [0.5])])
    assert SELECTION_NOTE not in render_table1(table1(only), "md")


def test_labels_can_be_given(runs: pd.DataFrame) -> None:
    text = render_table1(table1(runs), "md", labels={"elsewhere": "New score", "eps1": "strict"})
    assert "| New score |" in text and "| strict |" in text and "| Loss |" in text


def test_rounding_has_no_negative_zero() -> None:
    frames = [pruned("loss", [0.5, 0.5999]), pruned("random", [0.5, 0.6])]
    text = render_table1(table1(pd.concat(frames)), "md")
    assert "0.0 [" in text and "−0.0 [" not in text


def test_latex_is_balanced_and_plain(runs: pd.DataFrame) -> None:
    text = render(runs.assign(epsilon_kept=1.0, epsilon_removed=0.5, dataset="my_data"), "tex")
    assert text.isascii()
    body = text.split("\n", 1)[1]  # after the comment on packages
    assert re.search(r"(?<!\\)[%#~^]", body) is None
    outside_math = re.sub(r"\$[^$]*\$", "", body.replace(r"\$", ""))
    assert "$" not in outside_math and re.search(r"(?<!\\)_", outside_math) is None
    depth = 0
    for character in re.sub(r"\\[{}]", "", body):
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    stack: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+\*?)\}", body):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []


def test_latex_rows_fill_the_columns(runs: pd.DataFrame) -> None:
    text = render(runs, "tex")
    tabular = re.search(r"\\begin\{tabular\}\{(l(r+))\}(.*)\\end\{tabular\}", text, re.DOTALL)
    assert tabular is not None
    width = len(tabular[1])
    assert width == 8
    rules = (r"\toprule", r"\midrule", r"\addlinespace", r"\bottomrule")
    lines = [line for line in tabular[3].strip().splitlines() if line not in rules]
    for line in lines:
        assert line.endswith(r" \\")
        cells = len(re.findall(r"(?<!\\)&", line)) + 1
        spans = re.search(r"^\\multicolumn\{(\d+)\}", line)
        assert (int(spans[1]) if spans else cells) == width
    assert r"$\varepsilon$ = 1 & 56.7 $\pm$ 4.7 & -- & 52.0 $\pm$ 3.0" in text
    assert r"(stand-in: digits for CIFAR-10 \& 25\%)" in text
    assert "$-$2.0 [$-$4.5, 0.5]" in text and "itself not private" in text


class Text(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


def test_html_shows_what_markdown_shows(runs: pd.DataFrame) -> None:
    text = Text(render(runs, "html")).text
    for line in render(runs, "md").splitlines():
        if line.startswith("| ε"):
            assert "\n".join(c.strip() for c in line.strip("|").split("|")) in text
    assert "stand-in: digits for CIFAR-10 & 25%" in text


def test_tables_are_written_by_suffix(runs: pd.DataFrame, tmp_path: Path) -> None:
    paths = [tmp_path / f"table1.{form}" for form in ("csv", "md", "tex", "html")]
    stand_in = "digits for CIFAR-10 & 25%"
    write_table1(table1(runs), paths, paper=PAPER, stand_in=stand_in)
    for path in paths:
        assert path.read_text(encoding="utf-8") == render(runs, path.suffix[1:])
    with pytest.raises(ValueError, match="csv, md, tex or html, got 'pdf'"):
        write_table1(table1(runs), [tmp_path / "table1.pdf"])
