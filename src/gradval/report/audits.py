"""The audits of a study as one table."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from gradval.report.tables import Cell, Kind, Table
from gradval.study.names import dataset_label, model_label, privacy_label

TITLE = "Empirical privacy audit"
KINDS: Mapping[str, Kind] = dict.fromkeys(
    (
        *("seed", "draw", "claimed ε", "δ", "lower bound", "confidence", "highest bound"),
        *("canaries", "guesses", "right"),
    ),
    "number",
)
NOTE = (
    "One training run each, with canaries that are included by a fair coin. With the stated "
    "confidence ε at δ is at least the lower bound (Steinke, Nasr and Jagielski 2023; add or "
    "remove one sample). A bound above the claim refutes it; a bound below it proves nothing. The "
    "highest bound is what the same audit gives if every guess is right: claims above it cannot be "
    "refuted."
)


def verdict(audit: Mapping[str, Any]) -> Cell:
    """What an audit says about the claim, in a few words."""
    if audit["refuted"]:
        return Cell("refuted: less private than claimed", sign="✗", tone="poor")
    if audit["highest_bound"] <= audit["claimed_epsilon"]:
        return Cell("not refuted, nor could it be", sign="–", tone="none")
    return Cell("not refuted", sign="✓", tone="good")


def audit_table(audits: Sequence[Mapping[str, Any]]) -> Table:
    """One row an audit.

    Args:
        audits: fields of `gradval.audit.run.AuditResult` and those of
            `gradval.study.names.run_key`.
    """
    rows = pd.DataFrame(
        {
            "data set": dataset_label(audit["dataset"]),
            "model": model_label(audit["model"]),
            "privacy": privacy_label(audit["privacy"]),
            "seed": str(audit["seed"]),
            "draw": str(audit["draw"]),
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
    return Table.of(rows, TITLE, kinds=KINDS, notes=[NOTE])
