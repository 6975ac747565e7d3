"""One table in every form: nothing lost, everything escaped, numbers on the right."""

import re
from pathlib import Path

import pandas as pd
import pytest
from html_text import Page

from gradval.report.tables import (
    Block,
    Cell,
    Column,
    Table,
    html_page,
    latex_table,
    markdown_text,
    write_tables,
)

AWKWARD = "<b>a</b> & b|c_d *e* 5% #1 {x} ~^\\ $2"


@pytest.fixture()
def table() -> Table:
    columns = [Column("Privacy"), Column("Loss", "number"), Column("PLIS & co", "interval")]
    blocks = [
        Block(pd.DataFrame([["ε = 1", "51.9 ± 6.7", "−3 [−4, 5]"]]), "Accuracy (%)"),
        Block(pd.DataFrame([[AWKWARD, "1", "–"], ["ε = 8", "2", "3"]]), "Second"),
    ]
    return Table("A caption", columns, blocks, notes=["First note.", AWKWARD])


def marked() -> Table:
    rows = pd.DataFrame(
        {
            "Claim": [Cell("it holds", detail="section 4 <i>", anchor="fig2")],
            "Verdict": [Cell("so it is", sign="✓", tone="good", dashed=True)],
            "Ours": ["1"],
        }
    )
    return Table.of(rows, "Claims", kinds={"Ours": "number", "Claim": "prose"}, numbered=True,
                    notes=["one", "two"], intro="Read this.")  # fmt: skip


def test_html_is_well_formed_and_holds_every_text(table: Table) -> None:
    page = Page(html_page("A title", [table, marked()]))
    assert page.cells[:3] == ["Privacy", "Loss", "PLIS & co"]
    assert [*page.cells[3:7]] == ["Accuracy (%)", "ε = 1", "51.9 ± 6.7", "−3 [−4, 5]"]
    assert AWKWARD in page.cells and page.text.count(AWKWARD) == 2
    for text in ("A title", "A caption", "Second", "First note.", "Claims", "Read this."):
        assert text in page.text


def test_html_says_what_a_cell_is_without_colour() -> None:
    source = html_page("A title", [marked()])
    page = Page(source)
    claim, verdict, ours = page.all("td")
    assert claim == {"class": "prose", "id": "fig2"} and ours == {"class": "number"}
    assert verdict["class"] == "text short tone good dashed"
    assert page.cells[3:] == ["it holdssection 4 <i>", "✓ so it is", "1"]
    assert "<small>section 4 &lt;i&gt;</small>" in source
    assert source.index("<ol") < source.index("<li>one</li>") < source.index("<li>two</li>")


def test_a_caption_that_is_the_title_is_not_repeated(table: Table) -> None:
    assert html_page("A caption", [table]).count("A caption") == 3  # title, h1, label of the region
    assert len(Page(html_page("A caption", [table])).all("h2")) == 0
    assert len(Page(html_page("Other", [table])).all("h2")) == 1
    assert "##" not in markdown_text("A caption", [table])


def test_pages_fit_phones_the_dark_and_paper(table: Table) -> None:
    source = html_page("A title", [table])
    page = Page(source)
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all(
        "meta"
    )
    (scroll,) = [div for div in page.all("div") if div.get("class") == "scroll"]
    assert scroll["tabindex"] == "0" and scroll["aria-label"] == "A caption"
    for part in ("prefers-color-scheme: dark", "@media print", ".scroll { overflow: auto"):
        assert part in source


def test_only_short_words_are_kept_on_one_line() -> None:
    rows = pd.DataFrame({"model": ["ResNet-18", "a sentence that goes on"]})
    page = Page(html_page("t", [Table.of(rows, "c")]))
    assert [cell["class"] for cell in page.all("td")] == ["text short", "text"]


def test_an_anchor_cannot_leave_its_attribute() -> None:
    rows = pd.DataFrame({"a": [Cell("x", anchor='"><script>')]})
    assert "<script>" not in html_page("t", [Table.of(rows, "c")])


def test_markdown_rows_fill_the_columns(table: Table) -> None:
    text = markdown_text("A title", [table, marked()])
    assert text.startswith("# A title\n\n## A caption\n\n**Accuracy (%)**\n\n")
    assert "| ε = 1 | 51.9 ± 6.7 | −3 [−4, 5] |" in text
    assert r"| \<b>a\</b> & b\|c_d \*e\* 5% #1 {x} ~^\\ $2 | 1 | – |" in text
    assert "| it holds (section 4 \\<i>) | ✓ so it is | 1 |" in text
    assert "- First note.\n- " in text and "1. one\n2. two" in text and "Read this." in text
    for rows in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        lines = rows.splitlines()
        assert {line.replace("\\|", "").count("|") for line in lines} == {4}
        assert lines[1] in ("|:---|---:|---:|", "|:---|:---|---:|")


def test_latex_is_balanced_and_escaped(table: Table) -> None:
    text = latex_table(table, "tab:x")
    assert text.isascii() and r"\label{tab:x}" in text and r"\begin{tabular}{lrr}" in text
    assert r"\caption{A caption.}" in text and r"PLIS \& co \\" in text
    assert r"$\varepsilon$ = 1 & 51.9 $\pm$ 6.7 & $-$3 [$-$4, 5] \\" in text
    assert r"\textbackslash{} \$2 & 1 & -- \\" in text
    body = text.split("\n", 1)[1]
    depth = 0
    for character in re.sub(r"\\[{}]", "", body):
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    begun = re.findall(r"\\begin\{(\w+\*?)\}", body)
    assert re.findall(r"\\end\{(\w+\*?)\}", body) == begun[::-1]
    for line in text.splitlines():
        if line.endswith(r"\\"):
            assert len(re.findall(r"(?<!\\)&", line)) == 2
    assert text.count(r"\addlinespace") == 1  # between the blocks


def test_a_block_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="c: 1 columns, but a block of rows has 2"):
        Table("c", [Column("a")], [Block(pd.DataFrame([["x", "y"]]))])


def test_a_table_without_rows_has_its_headings() -> None:
    table = Table.of(pd.DataFrame({"a": [], "b": []}), "c")
    assert "| a | b |" in markdown_text("t", [table])
    assert Page(html_page("t", [table])).cells == ["a", "b"]


def test_tables_are_written_by_suffix(table: Table, tmp_path: Path) -> None:
    paths = [tmp_path / f"a.{form}" for form in ("html", "md", "tex", "csv")]
    data = pd.DataFrame({"x": [0.1 + 0.2], "y": ["a,b"]})
    write_tables(paths, [marked(), table], title="T", data=data, label="tab:y")
    html, markdown, latex, csv = (path.read_text(encoding="utf-8") for path in paths)
    assert html == html_page("T", [marked(), table])
    assert markdown == markdown_text("T", [marked(), table])
    assert latex == latex_table(table, "tab:y")
    assert csv == 'x,y\n0.30000000000000004,"a,b"\n'
    with pytest.raises(ValueError, match=r"b\.pdf: the suffix must be one of \.html, \.md"):
        write_tables([tmp_path / "c.md", tmp_path / "b.pdf"], [table], title="T", data=data)
    assert not (tmp_path / "c.md").exists()
