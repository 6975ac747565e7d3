"""What the rows of one comparison say in sum."""

import numpy as np
import pytest
from figure_inputs import rows

from gradval.report import figures


def test_summary_keeps_values_and_sides_apart() -> None:
    summary = figures.summarise(rows())["ssim_matched"]
    assert summary.values == (0.5, 0.6, 0.73)
    assert summary.mean == pytest.approx(0.61)
    chance = (summary.chance, summary.chance_low, summary.chance_high)
    assert chance == pytest.approx((0.31, 0.28, 0.35))
    assert (summary.ceiling_a, summary.ceiling_b) == pytest.approx((0.9, 0.8))
    assert summary.ceiling == pytest.approx(0.85)


def test_chance_is_that_of_the_pairing_and_averaged_over_its_seeds() -> None:
    table = rows()
    same = table["pairing"] == "same seed"
    table.loc[same, "chance"] = table.loc[same, "seed_a"]
    table.loc[~same, "chance"] = 99
    assert figures.summarise(table)["overlap"].chance == 1
    assert figures.summarise(table, "other seed")["overlap"].chance == 99


def test_ceiling_of_one_side_only_and_of_none() -> None:
    table = rows()
    one = figures.summarise(table[table["pairing"] != "ceiling a"])["overlap"]
    assert np.isnan(one.ceiling_a) and one.ceiling == pytest.approx(23)
    assert np.isnan(figures.summarise(rows(seeds=1))["overlap"].ceiling)
