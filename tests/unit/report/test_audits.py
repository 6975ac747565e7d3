"""How audits are reported."""

from gradval.report.audits import TITLE, audit_table, conclusion, verdict
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
    "any_mechanism": 0.312,
    "confidence": 0.95,
    "refuted": False,
    "refutable": True,
    "canaries": 2000,
    "guesses": 400,
    "correct_in": 137,
    "correct_out": 120,
    "sees": "steps",
}


def test_verdicts():
    assert str(verdict(AUDIT)) == "✓ not refuted"
    assert str(verdict(AUDIT | {"refutable": False})) == "– not refuted, nor could it be"
    assert str(verdict(AUDIT | {"refuted": True})).startswith("✗ refuted")


def test_the_table_states_bound_claim_and_confidence_in_every_format():
    table = audit_table([AUDIT, AUDIT | {"privacy": "eps4", "refuted": True}])
    for text in (markdown_text(TITLE, [table]), html_page(TITLE, [table])):
        for part in (
            "1.000",
            "0.397",
            "0.95",
            "0.312",
            "257",
            "every step",
            "add or remove one sample",
        ):
            assert part in text
    rows = [line for line in markdown_text(TITLE, [table]).splitlines() if "| digits |" in line]
    assert rows[0].startswith("| digits | ResNet-9 | ε = 1 | 0 | 1 | 1.000 | 0.0001 | 0.397 |")
    assert "ε = 4" in rows[1] and len(rows) == 2


def test_a_sentence_says_what_the_audits_say_together():
    assert conclusion([AUDIT]) == (
        "None of 1 claim refuted. The lower bounds are 40% of what is claimed."
    )
    worse = AUDIT | {"refuted": True, "epsilon_lower_bound": 1.2}
    assert conclusion([AUDIT, worse]) == (
        "1 of 2 claims refuted: what was trained is less private than its ledger says. "
        "The lower bounds are 40 to 120% of what is claimed."
    )
