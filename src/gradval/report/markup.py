"""Plain Markdown, HTML and LaTeX, as far as our tables need it."""

import html
from collections.abc import Iterable, Sequence

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem;
  color: #111; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid #ccc; text-align: left;
  vertical-align: top; }
thead th { border-bottom: 2px solid #111; position: sticky; top: 0; background: #fff; }
th.block { padding-top: 1rem; font-style: italic; font-weight: normal; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.small { color: #444; font-size: .85em; }
.verdict { white-space: nowrap; font-weight: 600; }
.stand-in { border: 2px dashed #111; }
"""
LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "{}$&#%_"},
        **{character: f"${character}$" for character in "<>|"},
        **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
        **{"ε": r"$\varepsilon$", "δ": r"$\delta$", "±": r"$\pm$", "−": "$-$", "–": "--"},
    }
)


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], numeric: Iterable[str] = ()
) -> str:
    """A Markdown (pipe) table; the columns named in `numeric` are aligned to the right."""
    right = set(numeric)
    rule = ["---:" if name in right else "---" for name in header]
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in [header, rule, *cells])


def html_page(title: str, body: str) -> str:
    """A self-contained HTML page; `title` is text, `body` HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{html.escape(title)}</h1>\n{body}</body>\n</html>\n"
    )


def html_cell(text: str, number: bool = False, tag: str = "td") -> str:
    """One cell of an HTML table, aligned to the right if it is a number."""
    kind = ' class="number"' if number else ""
    return f"<{tag}{kind}>{html.escape(text)}</{tag}>"


def latex_text(text: str) -> str:
    """Escape plain text for LaTeX."""
    return text.translate(LATEX)
