"""The table of published settings: our epsilon beside what was printed."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from opacus.accountants.analysis.rdp import compute_rdp

from gradval.privacy.accountants import SampledGaussian, epsilon

DOCS = Path(__file__).parents[3] / "docs" / "privacy" / "accounting.md"
SECTION = "## Published settings"


def rows():
    """The cells of each row of the table, as text."""
    section = DOCS.read_text(encoding="utf-8").split(SECTION)[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def moments_epsilon(event, delta):
    """As accountants converted until 2020: RDP + log(1 / delta) / (order - 1)."""
    orders = np.array([1 + x / 10 for x in range(1, 100)] + list(range(11, 64)))
    rdp = compute_rdp(
        q=event.sampling_rate,
        noise_multiplier=event.noise_multiplier,
        steps=event.steps,
        orders=orders,
    )
    return float(np.min(rdp + math.log(1 / delta) / (orders - 1)))


def rounds_to(value, printed):
    """Whether `value`, rounded to the printed digits, is the printed text."""
    digits = len(printed.partition(".")[2])
    return abs(value - float(printed)) <= 0.5 * 10**-digits * (1 + 1e-3)


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0].split(',')[0]} {row[2]}")
def test_our_epsilon_is_the_printed_one_by_the_same_account(row):
    _, rate, noise, steps, delta, printed, account, same, rdp, pld = row
    event = SampledGaussian(float(Fraction(rate)), float(noise), int(steps.replace(",", "")))
    ours = {name: epsilon([event], float(delta), name) for name in ("rdp", "pld")}
    assert rounds_to(ours["rdp"], rdp) and rounds_to(ours["pld"], pld)
    assert ours["pld"] <= ours["rdp"]
    if account == "limit":
        # Training stopped at this epsilon, so the steps that were done cost no more.
        assert same == "" and ours["rdp"] <= float(printed)
        return
    value = moments_epsilon(event, float(delta)) if account == "moments" else ours[account]
    assert rounds_to(value, printed) and rounds_to(value, same)
    # Neither of today's accounts is looser than the old one.
    assert account != "moments" or ours["rdp"] <= value


def test_the_table_has_at_least_five_settings_of_three_kinds_of_account():
    assert len(rows()) >= 5
    assert {row[6] for row in rows()} == {"moments", "rdp", "pld", "limit"}
