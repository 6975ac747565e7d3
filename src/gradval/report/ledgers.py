"""The privacy ledgers of many runs as one page that can be read."""

import html
from collections.abc import Mapping
from typing import Any

import pandas as pd

from gradval.report.markup import html_cell, html_page

Row = dict[str, str | float | int]


def ledger_rows(ledger: Mapping[str, Any], key: Mapping[str, str | int]) -> list[Row]:
    """One row for each group of samples that a ledger makes a statement about.

    Args:
        ledger: see `gradval.privacy.ledger`.
        key: what identifies the run; put in front of every row.
    """
    if not ledger["private"]:
        return [{**key, "applies to": "everyone", "epsilon": "not private", **_remarks(ledger)}]
    rows = []
    for group in ledger["groups"]:
        events = [ledger["events"][i] for i in group["events"]]
        rows.append(
            {
                **key,
                "applies to": group["name"],
                "epsilon": f"{group['epsilon'][ledger['accountant']]:.3f} ({ledger['accountant']})",
                "other accountants": ", ".join(
                    f"{value:.3f} ({name})"
                    for name, value in group["epsilon"].items()
                    if name != ledger["accountant"]
                ),
                "delta": f"{ledger['delta']:g}",
                "neighbouring relation": ledger["neighbouring_relation"],
                "mechanism": _phases(events, "mechanism"),
                "sampling rate": _phases(events, "sampling_rate", ".4f"),
                "noise multiplier": _phases(events, "noise_multiplier", ".3f"),
                "steps": _phases(events, "steps", "d"),
                "clipping norm": _phases(events, "clipping_norm", "g"),
                "selection": ledger["selection"],
                "randomness": ledger["randomness"],
                **_remarks(ledger),
            }
        )
    return rows


def ledger_page(rows: pd.DataFrame) -> str:
    """An HTML page of `ledger_rows`; a remark that many runs share is printed once, by number."""
    table = rows.fillna("")
    remarks = list(dict.fromkeys(note for notes in table["remarks"] for note in notes))
    table["remarks"] = [
        ", ".join(str(remarks.index(note) + 1) for note in notes) for notes in table["remarks"]
    ]
    header = "".join(html_cell(column, tag="th") for column in table.columns)
    body = "".join(
        f"<tr>{''.join(html_cell(str(value)) for value in row)}</tr>\n"
        for row in table.itertuples(index=False)
    )
    listed = "".join(f"<li>{html.escape(remark)}</li>\n" for remark in remarks)
    return html_page(
        "Privacy ledger",
        "<p>Mechanisms: gaussian is Poisson-subsampled (DP-SGD), laplace a release of scores, with "
        "the scale of the noise in widths of the bounds. Several are separated by +.</p>\n"
        f"<table><thead><tr>{header}</tr></thead>\n<tbody>\n{body}</tbody></table>\n"
        f"<h2>Remarks</h2>\n<ol>\n{listed}</ol>\n",
    )


def _phases(events: list[Mapping[str, Any]], name: str, form: str = "") -> str:
    return " + ".join(format(event[name], form) if name in event else "–" for event in events)


def _remarks(ledger: Mapping[str, Any]) -> dict[str, Any]:
    return {"remarks": ledger["notes"]}
