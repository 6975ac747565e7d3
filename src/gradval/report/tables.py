"""One table as a value, and the forms that it is written in: HTML page, Markdown, LaTeX.

A `Table` is made of data frames; everything in it is plain text, and each form escapes it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import jinja2
import pandas as pd

from gradval.runtime.files import write_text

Kind = Literal["text", "prose", "number", "interval"]
Tone = Literal["", "good", "fair", "poor", "none"]

# Named in full, so that the digest of the code that writes pages counts them.
PAGE = "templates/page.html.j2"
PAGE_TABLE = "templates/table.html.j2"
STYLE = "templates/style.css"
LATEX_TABLE = "templates/table.tex.j2"

MARKDOWN = str.maketrans({**{c: f"\\{c}" for c in "\\|*<`"}, "\n": " "})
LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "{}$&#%_"},
        **{character: f"${character}$" for character in "<>|"},
        **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
        **{"ε": r"$\varepsilon$", "δ": r"$\delta$", "±": r"$\pm$", "−": "$-$", "–": "--"},
        **{"“": "``", "”": "''", "…": r"\dots{}", "\n": " "},
    }
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is more than its text.

    Attributes:
        text: what it says.
        sign: a mark before the text, so that nobody depends on the colour.
        tone: the colour of its ground: one of the four of the stylesheet, or none.
        dashed: whether it has a dashed frame.
        detail: a second line in small print.
        anchor: the name by which a link finds it (`page.html#anchor`).
    """

    text: str
    sign: str = ""
    tone: Tone = ""
    dashed: bool = False
    detail: str = ""
    anchor: str = ""

    def __str__(self) -> str:
        signed = f"{self.sign} {self.text}".lstrip()
        return f"{signed} ({self.detail})" if self.detail else signed


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, and whether words, sentences or numbers stand in it."""

    name: str
    kind: Kind = "text"

    @property
    def is_number(self) -> bool:
        """Whether it is aligned to the right."""
        return self.kind in ("number", "interval")


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Rows that belong together: a heading (may be empty), and cells of text or `Cell`."""

    rows: pd.DataFrame
    heading: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table before any markup.

    Attributes:
        caption: its heading.
        columns: their headings and kinds.
        blocks: groups of rows; each frame has one column for each of `columns`, in their order.
        notes: what a reader must know, below the table.
        numbered: whether cells refer to the notes by their number.
        intro: a sentence above the table.
    """

    caption: str
    columns: Sequence[Column]
    blocks: Sequence[Block]
    notes: Sequence[str] = ()
    numbered: bool = False
    intro: str = ""

    def __post_init__(self) -> None:
        for block in self.blocks:
            if block.rows.shape[1] != len(self.columns):
                raise ValueError(
                    f"{self.caption}: {len(self.columns)} columns, but a block of rows has "
                    f"{block.rows.shape[1]}"
                )

    @classmethod
    def of(
        cls,
        rows: pd.DataFrame,
        caption: str,
        *,
        kinds: Mapping[str, Kind] | None = None,
        notes: Sequence[str] = (),
        numbered: bool = False,
        intro: str = "",
    ) -> "Table":
        """A table of one block.

        Args:
            rows: cells of text or `Cell`; its column names become headings.
            caption: the heading of the table.
            kinds: the kind of each column that does not hold text.
            notes, numbered, intro: as in `Table`.
        """
        kinds = kinds or {}
        columns = [Column(str(name), kinds.get(str(name), "text")) for name in rows.columns]
        return cls(caption, columns, [Block(rows)], notes, numbered, intro)


def html_page(title: str, tables: Sequence[Table]) -> str:
    """A self-contained page (no network, no script) that holds the tables one below the other."""
    return template(PAGE).render(title=title, tables=tables, parts=PAGE_TABLE, style=STYLE)


def markdown_text(title: str, tables: Sequence[Table]) -> str:
    """The tables in Markdown, each a pipe table a block."""
    parts = [f"# {_markdown(title)}"]
    for table in tables:
        if table.caption != title:
            parts.append(f"## {_markdown(table.caption)}")
        parts += [_markdown(table.intro)] if table.intro else []
        for block in table.blocks:
            parts += [f"**{_markdown(block.heading)}**"] if block.heading else []
            parts.append(_pipe_table(table.columns, block.rows))
        if table.notes:
            bullets = [f"{n}." if table.numbered else "-" for n in range(1, len(table.notes) + 1)]
            notes = zip(bullets, table.notes, strict=True)
            parts.append("\n".join(f"{bullet} {_markdown(note)}" for bullet, note in notes))
    return "\n\n".join(parts) + "\n"


def latex_table(table: Table, label: str) -> str:
    """A table for booktabs, in a float over both columns of a page.

    Args:
        table: what to write; its notes stand below it.
        label: by which the text refers to it, such as "tab:removal".
    """
    rows = []
    for number, block in enumerate(table.blocks):
        if block.heading:
            # Of no width, for it reaches over the columns beside it.
            heading = rf"\rlap{{\emph{{{_latex(block.heading)}}}}}"
            space = "\\addlinespace\n" if number else ""
            rows.append([space + heading, *[""] * (len(table.columns) - 1)])
        rows += [[_latex(cell) for cell in row] for row in block.rows.to_numpy()]
    frame = pd.DataFrame(rows)
    headings = [_latex(column.name) for column in table.columns]
    alignment = "".join("r" if column.is_number else "l" for column in table.columns)
    tabular = (
        frame.style.hide(axis="index")
        .relabel_index(headings, axis="columns")
        .to_latex(hrules=True, column_format=alignment)
    )
    return template(LATEX_TABLE).render(table=table, label=label, tabular=tabular.strip())


def write_tables(
    paths: Iterable[str | Path],
    tables: Sequence[Table],
    *,
    title: str,
    data: pd.DataFrame,
    label: str = "tab:gradval",
) -> None:
    """Write tables to every path, in the form that its suffix names.

    Args:
        paths: files ending in .html, .md, .tex (the last table alone) or .csv.
        tables: from the top.
        title: the heading of the page.
        data: what .csv files get: the numbers themselves.
        label: for LaTeX.

    Raises:
        ValueError: a suffix is none of these; nothing is written then.
    """
    forms = {
        ".html": lambda: html_page(title, tables),
        ".md": lambda: markdown_text(title, tables),
        ".tex": lambda: latex_table(tables[-1], label),
        ".csv": lambda: str(data.to_csv(index=False, lineterminator="\n")),
    }
    suffixes = {Path(path): Path(path).suffix for path in paths}
    for path, suffix in suffixes.items():
        if suffix not in forms:
            raise ValueError(f"{path}: the suffix must be one of {', '.join(forms)}")
    for path, suffix in suffixes.items():
        write_text(path, forms[suffix]())


def _pipe_table(columns: Sequence[Column], rows: pd.DataFrame) -> str:
    cells = pd.DataFrame([[_markdown(cell) for cell in row] for row in rows.to_numpy()])
    if cells.empty:
        cells = pd.DataFrame(columns=range(len(columns)))
    text = cells.to_markdown(
        index=False,
        tablefmt="pipe",
        headers=[_markdown(column.name) for column in columns],
        colalign=["right" if column.is_number else "left" for column in columns],
        disable_numparse=True,
    )
    # Not padded to the widest cell: rows of long sentences would be far longer.
    return re.sub(r"-{4,}", "---", re.sub(r" {2,}", " ", str(text)))


def _markdown(text: object) -> str:
    return str(text).translate(MARKDOWN)


def _latex(text: object) -> str:
    return str(text).translate(LATEX)


def sentence(text: str) -> str:
    """A text that begins with a capital letter, unless its first word has capitals of its own."""
    return text[:1].upper() + text[1:] if re.match(r"[a-z]([a-z]|\W|$)", text) else text


def unbroken(text: str) -> str:
    """A text in which "ε = 4" stays on one line."""
    return text.replace("ε = ", "ε\u00a0=\u00a0")


def anchor(term: str) -> str:
    """The name by which a link finds an explained term."""
    return "term-" + re.sub(r"\W+", "-", term.lower()).strip("-")


@cache
def template(name: str) -> jinja2.Template:
    """A template of this package by its path in this folder; what goes into HTML is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["latex"] = _latex
    environment.filters["sentence"] = sentence
    environment.filters["unbroken"] = unbroken
    environment.filters["anchor"] = anchor
    environment.tests["cell"] = lambda value: isinstance(value, Cell)
    return environment.get_template(name)
