"""Ledgers for readers: every epsilon with its accountant, remarks once and by number."""

import pandas as pd
from html_text import Page

from gradval.report.ledgers import TITLE, ledger_frame, ledger_rows, ledger_table
from gradval.report.tables import html_page

KEY = {"dataset": "cifar10", "model": "resnet18", "privacy": "eps4", "seed": 1, "draw": 0}
EVENT = {
    **{"mechanism": "gaussian", "sampling_rate": 0.25, "noise_multiplier": 1.23456},
    **{"steps": 45, "clipping_norm": 1.0},
}
PRIVATE = {
    "private": True,
    "neighbouring_relation": "add or remove one sample",
    "delta": 1e-4,
    "accountant": "pld",
    "randomness": "seeded",
    "selection": "raw",
    "events": [EVENT, {"mechanism": "laplace"}],
    "groups": [
        {"name": "kept", "events": [0, 1], "epsilon": {"pld": 3.99951, "rdp": 4.5}},
        {"name": "removed", "events": [0], "epsilon": {"pld": 2.0}},
    ],
    "notes": ["Seeded <noise>.", "Raw scores."],
}
OPEN = {"private": False, "notes": ["No privacy.", "Raw scores."]}


def test_a_row_a_group_with_what_it_took_part_in() -> None:
    kept, removed = ledger_rows(PRIVATE, {**KEY, "removal": "grad_norm"})
    assert list(kept.values())[:7] == [
        "CIFAR-10", "ResNet-18", "ε = 4", "1", "0", "Gradient norm", "kept",
    ]  # fmt: skip
    assert kept["ε"] == "4.000 (PLD)" and kept["other accountants"] == "4.500 (RDP)"
    assert removed["ε"] == "2.000 (PLD)" and removed["other accountants"] == ""
    assert kept["mechanism"] == "gaussian + laplace" and kept["steps"] == "45 + –"
    assert kept["noise multiplier"] == "1.235 + –" and removed["sampling rate"] == "0.2500"
    assert kept["δ"] == "0.0001" and kept["clipping norm"] == "1 + –"


def test_remarks_are_stated_once_and_named_by_number() -> None:
    rows = [*ledger_rows(OPEN, {**KEY, "privacy": "nonprivate"}), *ledger_rows(PRIVATE, KEY)]
    table = ledger_table(ledger_frame(rows))
    assert table.notes == ["No privacy.", "Raw scores.", "Seeded <noise>."] and table.numbered
    frame = table.blocks[0].rows
    assert frame.columns[-1] == "remarks" and frame["remarks"].tolist() == ["1, 2", "3, 2", "3, 2"]
    assert frame["ε"].tolist() == ["not private", "4.000 (PLD)", "2.000 (PLD)"]
    assert frame.loc[0, "mechanism"] == ""


def test_the_page_holds_every_cell() -> None:
    rows = ledger_rows(PRIVATE, KEY)
    source = html_page(TITLE, [ledger_table(ledger_frame(rows))])
    page = Page(source)
    expected = pd.DataFrame(rows).drop(columns="remarks").to_numpy().ravel()
    assert set(expected) <= set(page.cells)
    assert "Seeded <noise>." in page.text and "<noise>" not in source
    assert "resnet18" not in page.text and "eps4" not in page.text
