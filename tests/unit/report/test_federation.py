"""Tables and figures of a federation say what is in the data."""

import numpy as np
import pandas as pd
import pytest

from gradval.federation.judgement import COMBINED
from gradval.report.federation import federation_tables, method_label, paid_sites
from gradval.report.figures.federation import plot_site_pay, plot_value_agreement
from gradval.report.tables import markdown_text

BOUNDS = {"vog": (1.0, 5.0)}
SITES = pd.DataFrame(
    {
        "site": [0, 1],
        "images": [10, 30],
        "planted": ["", "wrong_labels"],
        "shapley_accuracy": [0.25, -0.05],
        "leave_out_accuracy": [0.1, -0.1],
    }
)
REPORT = pd.DataFrame(
    {"site": [1, 0], "score": "vog", "statistic": "mean", "key": "mean", "value": [4.0, 2.0]}
)
FOUND = pd.DataFrame(
    [
        {"scenario": "s", "method": method, "rule": rule, "epsilon": epsilon, "measure": measure,
         "mean": mean, "low": mean - 0.1, "high": mean + 0.1, "seeds": 2}
        for method, rule in (("vog", "mean"), (COMBINED, "mean"), ("size", "baseline"),
                             ("vog_query", "person"))
        for epsilon in ((0.1, np.inf) if rule == "mean" else (np.inf,))
        for measure, mean in (("kendall_accuracy", -0.5), ("paid_harmful", 0.25))
    ]
)  # fmt: skip
PROMISED = pd.DataFrame(
    {"scenario": "s", "hides": ["sample", "group"], "members": [1, 3], "training": [2.0, 9.0],
     "report": 1.0, "together": [3.0, 10.0], "delta": 1e-5, "trusts": "nobody but itself"}
)  # fmt: skip


@pytest.fixture
def paid():
    return paid_sites(SITES, REPORT, BOUNDS).assign(scenario="s", seed=0)


def test_sites_are_paid_by_what_they_published_above_the_floor(paid):
    assert paid["published_vog"].tolist() == [2.0, 4.0]
    assert paid["pay_vog"].tolist() == pytest.approx([1 / 4, 3 / 4])


def test_tables_say_what_sites_are_worth_and_how_values_do(paid):
    text = markdown_text("t", federation_tables(paid, FOUND, PROMISED))
    assert "| site 1 | wrong labels | 30 | -5.0 | -10.0 | 75.0 |" in text
    assert "| VoG | mean | no noise | -0.50 [-0.60, -0.40] |" in text
    assert "| VoG, variance query | person | no noise | – | – | 25.0 [15.0, 35.0] |" in text
    assert "| a group of up to 3 | 9 | 1 | 10 | 1e-05 | nobody but itself |" in text
    assert "25.0 [15.0, 35.0]" in text and "| Size | baseline | | -0.50" in text


def test_figures_show_every_method_and_site(paid):
    figure = plot_value_agreement(FOUND)
    first = figure.axes[0]
    shown = {tuple(line.get_ydata()) for line in first.lines}
    assert (-0.5, -0.5) in shown
    assert [t.get_text() for t in first.get_xticklabels()] == ["0.1", "∞"]
    pay = plot_site_pay(paid)
    points = np.concatenate([c.get_offsets() for c in pay.axes[0].collections])
    assert sorted(points.tolist()) == [[-5.0, 75.0], [25.0, 25.0]]
    assert method_label(COMBINED) == "All scores together"
