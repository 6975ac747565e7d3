"""The audits of a study as one table."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from gradval.report.tables import Cell, Kind, Table
from gradval.study.names import dataset_label, model_label, privacy_label

TITLE = "Empirical privacy audit"
KINDS: Mapping[str, Kind] = dict.fromkeys(
    (
        *("seed", "draw", "claimed ε", "δ", "lower bound", "any mechanism", "confidence"),
        *("canaries", "guesses", "right"),
    ),
    "number",
)
NOTE = (
    "One training each, with canaries that are there by a fair coin (add or remove one sample); "
    "whoever guesses the coins sees the weights after every step, or the final ones alone. A claim "
    "is refuted if so many guesses can be right with a probability of less than one minus the "
    "confidence under the events of its ledger (Mahloujifar, Melis and Chaudhuri 2024). The lower "
    "bound is for ε at δ if the training is what was claimed but for the size of its noise; that "
    "for any mechanism (Steinke, Nasr and Jagielski 2023) has no such condition. A bound below the "
    "claim proves nothing."
)
SEES = {"steps": "every step", "weights": "final weights"}


def verdict(audit: Mapping[str, Any]) -> Cell:
    """What an audit says about the claim, in a few words."""
    if audit["refuted"]:
        return Cell("refuted: less private than claimed", sign="✗", tone="poor")
    if not audit["refutable"]:
        return Cell("not refuted, nor could it be", sign="–", tone="none")
    return Cell("not refuted", sign="✓", tone="good")


def conclusion(audits: Sequence[Mapping[str, Any]]) -> str:
    """What the audits say together, in a sentence or two.

    Args:
        audits: as of `audit_table`.
    """
    refuted = sum(bool(audit["refuted"]) for audit in audits)
    shares = [audit["epsilon_lower_bound"] / audit["claimed_epsilon"] for audit in audits]
    claims = "1 claim" if len(audits) == 1 else f"{len(audits)} claims"
    found = (
        f"{refuted} of {claims} refuted: what was trained is less private than its ledger says."
        if refuted
        else f"None of {claims} refuted."
    )
    low, high = round(100 * min(shares)), round(100 * max(shares))
    reach = f"{low}%" if low == high else f"{low} to {high}%"
    return f"{found} The lower bounds are {reach} of what is claimed."


def audit_table(audits: Sequence[Mapping[str, Any]]) -> Table:
    """One row an audit.

    Args:
        audits: fields of `gradval.audit.result.AuditResult` and those of
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
            "any mechanism": f"{audit['any_mechanism']:.3f}",
            "confidence": f"{audit['confidence']:g}",
            "seen": SEES[audit["sees"]],
            "canaries": str(audit["canaries"]),
            "guesses": str(audit["guesses"]),
            "right": str(audit["correct_in"] + audit["correct_out"]),
            "verdict": verdict(audit),
        }
        for audit in audits
    )
    return Table.of(rows, TITLE, kinds=KINDS, notes=[conclusion(audits), NOTE])
