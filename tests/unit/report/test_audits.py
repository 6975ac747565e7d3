"""How audits are reported."""

from gradval.report.audits import TITLE, audit_table, verdict
from gradval.report.tables import html_page, markdown_text

AUDIT = {
    "dataset": "digits",
    "model": "resnet9",
    "privacy": "eps1",
    "seed": 0,
    "draw": 1,
    "claimed_epsilon": 0.99951,
    "delta": 1e-4,
    "epsilon_lower_bound": 0.3969,
    "confidence": 0.95,
    "highest_bound": 4.272,
    "refuted": False,
    "canaries": 2000,
    "guesses": 400,
    "correct": 257,
}


def test_verdicts():
    assert str(verdict(AUDIT)) == "✓ not refuted"
    assert str(verdict(AUDIT | {"claimed_epsilon": 8.0})) == "– not refuted, nor could it be"
    assert str(verdict(AUDIT | {"refuted": True})).startswith("✗ refuted")


def test_the_table_states_bound_claim_and_confidence_in_every_format():
    table = audit_table([AUDIT, AUDIT | {"privacy": "eps4", "refuted": True}])
    for text in (markdown_text(TITLE, [table]), html_page(TITLE, [table])):
        for part in ("1.000", "0.397", "0.95", "4.272", "refuted", "add or remove one sample"):
            assert part in text
    rows = [line for line in markdown_text(TITLE, [table]).splitlines() if "| digits |" in line]
    assert rows[0].startswith("| digits | ResNet-9 | ε = 1 | 0 | 1 | 1.000 | 0.0001 | 0.397 |")
    assert "ε = 4" in rows[1] and len(rows) == 2
