"""The audits of a study as one table."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from gradval.report.markup import html_cell, html_page, markdown_table

NUMERIC = (
    "claimed ε",
    "δ",
    "lower bound",
    "confidence",
    "highest bound",
    "canaries",
    "guesses",
    "right",
)
NOTE = (
    "One training run each, with canaries that are included by a fair coin. With the stated "
    "confidence ε at δ is at least the lower bound (Steinke, Nasr and Jagielski 2023; add or "
    "remove one sample). A bound above the claim refutes it; a bound below it proves nothing. The "
    "highest bound is what the same audit gives if every guess is right: claims above it cannot be "
    "refuted."
)


def verdict(audit: Mapping[str, Any]) -> str:
    """What an audit says about the claim, in a few words."""
    if audit["refuted"]:
        return "REFUTED: less private than claimed"
    if audit["highest_bound"] <= audit["claimed_epsilon"]:
        return "not refuted, nor could it be"
    return "not refuted"


def audit_table(audits: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row an audit, as text.

    Args:
        audits: fields of `gradval.audit.run.AuditResult` and those of
            `gradval.study.names.run_key`.
    """
    return pd.DataFrame(
        {
            "data set": audit["dataset"],
            "model": audit["model"],
            "privacy": audit["privacy"],
            "seed": str(audit["seed"]),
            "claimed ε": f"{audit['claimed_epsilon']:.3f}",
            "δ": f"{audit['delta']:g}",
            "lower bound": f"{audit['epsilon_lower_bound']:.3f}",
            "confidence": f"{audit['confidence']:g}",
            "highest bound": f"{audit['highest_bound']:.3f}",
            "canaries": str(audit["canaries"]),
            "guesses": str(audit["guesses"]),
            "right": str(audit["correct"]),
            "verdict": verdict(audit),
        }
        for audit in audits
    )


def audit_markdown(table: pd.DataFrame) -> str:
    """The table of `audit_table` in Markdown, with its explanation."""
    return f"{markdown_table(list(table.columns), table.values.tolist(), NUMERIC)}\n{NOTE}\n"


def audit_page(table: pd.DataFrame) -> str:
    """The table of `audit_table` as an HTML page, with its explanation."""
    header = "".join(html_cell(name, name in NUMERIC, "th") for name in table.columns)
    rows = "".join(
        f"<tr>{''.join(html_cell(row[name], name in NUMERIC) for name in table.columns)}</tr>\n"
        for _, row in table.iterrows()
    )
    return html_page(
        "Empirical privacy audit",
        f"<table><thead><tr>{header}</tr></thead>\n<tbody>\n{rows}</tbody></table>\n"
        f"<p>{html.escape(NOTE)}</p>\n",
    )
