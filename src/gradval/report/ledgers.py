"""The privacy ledgers of many runs as one table."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from gradval.report.labels import accountant_label
from gradval.report.tables import Kind, Table
from gradval.study.names import dataset_label, model_label, privacy_label, score_label

Row = dict[str, Any]
TITLE = "Privacy ledger"
INTRO = (
    "Mechanisms: gaussian is Poisson-subsampled (DP-SGD), laplace a release of scores, with the "
    "scale of the noise in widths of the bounds. Several are separated by +. The numbers under "
    "remarks are those of the list below. ε is of weights and checkpoints: the exact train_loss in "
    "metrics.csv and train_accuracy in summary.json beside them are not private."
)


def ledger_rows(ledger: Mapping[str, Any], key: Mapping[str, str | int]) -> list[Row]:
    """One row for each group of samples that a ledger makes a statement about.

    Args:
        ledger: see `gradval.privacy.ledger`.
        key: what identifies the run (`gradval.study.names.run_key`, and its removal if it
            has one); put in front of every row.
    """
    run = _run(key)
    if not ledger["private"]:
        return [{**run, "applies to": "everyone", "ε": "not private", "remarks": ledger["notes"]}]
    rows = []
    for group in ledger["groups"]:
        events = [ledger["events"][i] for i in group["events"]]
        spent = {name: _spent(name, value) for name, value in group["epsilon"].items()}
        rows.append(
            {
                **run,
                "applies to": group["name"],
                "ε": spent.pop(ledger["accountant"]),
                "other accountants": ", ".join(spent.values()),
                "δ": f"{ledger['delta']:g}",
                "neighbouring relation": ledger["neighbouring_relation"],
                "mechanism": _phases(events, "mechanism"),
                "sampling rate": _phases(events, "sampling_rate", ".4f"),
                "noise multiplier": _phases(events, "noise_multiplier", ".3f"),
                "steps": _phases(events, "steps", "d"),
                "clipping norm": _phases(events, "clipping_norm", "g"),
                "selection": ledger["selection"].replace("_", " "),
                "randomness": ledger["randomness"].replace("_", " "),
                "remarks": ledger["notes"],
            }
        )
    return rows


def ledger_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """`ledger_rows` as a table of text, for a CSV file; remarks are separated by line breaks."""
    frame = pd.DataFrame(rows).fillna("").astype({"remarks": object})
    remarks = ["\n".join(notes) for notes in frame.pop("remarks")]
    # The last column, also where non-private runs lead.
    return frame.assign(remarks=remarks)


def ledger_table(frame: pd.DataFrame, title: str = TITLE) -> Table:
    """A table of `ledger_frame`; a remark that many runs share is stated once, by number."""
    notes = [text.split("\n") if text else [] for text in frame["remarks"]]
    remarks = list(dict.fromkeys(note for of_run in notes for note in of_run))
    numbers = [", ".join(str(remarks.index(note) + 1) for note in of_run) for of_run in notes]
    kinds: dict[str, Kind] = {"seed": "number", "draw": "number"}
    shown = frame.assign(remarks=numbers)
    return Table.of(shown, title, kinds=kinds, notes=remarks, numbered=True, intro=INTRO)


def _run(key: Mapping[str, str | int]) -> Row:
    """What identifies a run, in words."""
    labels = {
        "dataset": ("data set", dataset_label),
        "model": ("model", model_label),
        "privacy": ("privacy", privacy_label),
        "removal": ("removed by", score_label),
    }
    row = {}
    for name, value in key.items():
        heading, label = labels.get(name, (name, str))
        row[heading] = label(str(value))
    return row


def _spent(accountant: str, epsilon: float) -> str:
    return f"{epsilon:.3f} ({accountant_label(accountant)})"


def _phases(events: Sequence[Mapping[str, Any]], name: str, form: str = "") -> str:
    return " + ".join(format(event[name], form) if name in event else "–" for event in events)
