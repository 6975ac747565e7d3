"""The scorecard as files that people open: CSV, Markdown and a self-contained HTML page."""

import html
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from gradval.evidence.verdict import (
    NOT_REPRODUCED,
    NOT_RUN,
    NUMBER_COLUMNS,
    REPRODUCED,
    SAME_DIRECTION,
    STAND_IN,
    TEXT_COLUMNS,
    summarise_verdicts,
)
from gradval.report.markup import html_cell, html_page, markdown_table
from gradval.runtime.files import write_text

NUMERIC = ("Paper", "Ours", "95% interval", "Seeds", "Chance", "Ceiling")
COLUMNS = ("Claim", *NUMERIC, "Paper's setting", "Run on")
# A sign beside each verdict, so that no reader depends on colour, which is of the Okabe-Ito
# palette (safe for colour-blind readers): background and text.
SIGNS = {REPRODUCED: "✓", SAME_DIRECTION: "≈", NOT_REPRODUCED: "✗", NOT_RUN: "–"}
COLOURS = {
    REPRODUCED: ("#0072b2", "#fff"),
    SAME_DIRECTION: ("#56b4e9", "#000"),
    NOT_REPRODUCED: ("#d55e00", "#000"),
    NOT_RUN: ("#ddd", "#000"),
}
MEANINGS = {
    REPRODUCED: "the direction holds, and the paper's number lies in our 95% interval or within "
    "the claim's tolerance of our mean; an ordering holds",
    SAME_DIRECTION: "what the paper concludes from its number holds, but the number differs",
    NOT_REPRODUCED: "what the paper concludes does not hold",
    NOT_RUN: "this config does not produce the evidence to judge the claim",
    STAND_IN.strip(): "another data set, model or class plays a part, so the number itself cannot "
    "be reproduced, only the direction",
}
LEVELS = (
    "Chance is the same statistic for random selections, the ceiling that for the same setting "
    "under two seeds. The two runs of a comparison share their seed; for an ordering, ours is the "
    "smallest margin by which it holds."
)


def render_scorecard(scorecard: pd.DataFrame, form: str, title: str = "Scorecard") -> str:
    """Render a scorecard.

    Args:
        scorecard: as returned by `build_scorecard`.
        form: ``csv`` (every column), ``md`` or ``html``.
        title: the heading.

    Raises:
        ValueError: the form is unknown.
    """
    if form == "csv":
        return str(scorecard.to_csv(index=False, lineterminator="\n"))
    if form == "md":
        return _markdown(scorecard, title)
    if form == "html":
        return _html(scorecard, title)
    raise ValueError(f"a scorecard can be rendered as csv, md or html, got {form!r}")


def write_scorecard(
    scorecard: pd.DataFrame, paths: Iterable[str | Path], title: str = "Scorecard"
) -> None:
    """Write a scorecard to every path, in the form that its suffix names.

    Raises:
        ValueError: a suffix is unknown.
    """
    for path in paths:
        write_text(path, render_scorecard(scorecard, Path(path).suffix[1:], title))


def _markdown(scorecard: pd.DataFrame, title: str) -> str:
    rows = [
        [*_cells(row).values(), _signed(row["verdict"]), row["reading"]]
        for row in _records(scorecard)
    ]
    counts = [(_signed(verdict), str(count)) for verdict, count in _counts(scorecard)]
    meanings = "".join(f"- *{name}*: {meaning}.\n" for name, meaning in MEANINGS.items())
    return (
        f"# {title}\n\n"
        f"{markdown_table(('Verdict', 'Claims'), counts, ('Claims',))}\n"
        f"{markdown_table((*COLUMNS, 'Verdict', 'Reading'), rows, NUMERIC)}\n"
        f"{LEVELS}\n\n{meanings}"
    )


def _html(scorecard: pd.DataFrame, title: str) -> str:
    counts = "".join(
        f"<tr>{_verdict_cell(verdict)}{html_cell(str(count), True)}</tr>\n"
        for verdict, count in _counts(scorecard)
    )
    header = (*COLUMNS, "Verdict", "Reading")
    head = "".join(html_cell(name, name in NUMERIC, "th") for name in header)
    rows = "".join(_html_row(row) for row in _records(scorecard))
    meanings = "".join(
        f"<li><strong>{name}</strong>: {html.escape(meaning)}.</li>\n"
        for name, meaning in MEANINGS.items()
    )
    return html_page(
        title,
        f"<table>\n<tbody>\n{counts}</tbody>\n</table>\n"
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
        f"<p>{LEVELS}</p>\n<ul>\n{meanings}</ul>\n",
    )


def _html_row(row: Mapping[str, Any]) -> str:
    identifier, section = html.escape(row["id"]), html.escape(row["section"])
    cells = [
        html_cell(text, name in NUMERIC) for name, text in _cells(row).items() if name != "Claim"
    ]
    return (
        f'<tr id="{identifier}"><td><strong>{identifier}</strong> '
        f'<span class="small">{section}</span><br>{html.escape(row["statement"])}</td>'
        f"{''.join(cells)}{_verdict_cell(row['verdict'])}{html_cell(row['reading'])}</tr>\n"
    )


def _verdict_cell(verdict: str) -> str:
    background, colour = COLOURS[verdict.removesuffix(STAND_IN)]
    kind = "verdict stand-in" if verdict.endswith(STAND_IN) else "verdict"
    style = f"background:{background};color:{colour}"
    return f'<td class="{kind}" style="{style}">{_signed(verdict)}</td>'


def _signed(verdict: str) -> str:
    return f"{SIGNS[verdict.removesuffix(STAND_IN)]} {verdict}"


def _counts(scorecard: pd.DataFrame) -> list[tuple[str, int]]:
    summary = summarise_verdicts(scorecard)
    return list(zip(summary["verdict"], summary["claims"], strict=True))


def _records(scorecard: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dictionaries, also of a scorecard that was read from a CSV file."""
    texts = scorecard[list(TEXT_COLUMNS)].astype(object).fillna("").astype(str)
    numbers = scorecard[list(NUMBER_COLUMNS)].astype(float)
    records = pd.concat([texts, numbers], axis=1).to_dict("records")
    return [{str(name): value for name, value in record.items()} for record in records]


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    """The texts of one row under `COLUMNS`."""
    interval = "" if math.isnan(row["low"]) else f"[{_number(row['low'])}, {_number(row['high'])}]"
    parts = ("dataset", "model", "privacy")
    papers = ", ".join(row[f"paper_{part}"] for part in parts if row[f"paper_{part}"])
    run_on = ", ".join(row[part] for part in parts if row[part])
    if row["stand_in"]:
        run_on += f" (stand-in: {row['stand_in']})"
    texts = (
        f"{row['id']} ({row['section']}): {row['statement']}",
        row["paper"],
        _number(row["ours"]),
        interval,
        f"{row['n']:.0f}" if row["n"] else "",
        _number(row["chance"]),
        _number(row["ceiling"]),
        papers,
        run_on,
    )
    return dict(zip(COLUMNS, texts, strict=True))


def _number(value: float) -> str:
    """Two decimals below ten, one above; nothing for NaN."""
    if math.isnan(value):
        return ""
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
