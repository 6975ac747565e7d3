"""What privacy changes, as a figure: every mark at its number."""

import itertools

import numpy as np
import pandas as pd
import pytest
from figure_inputs import texts
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from gradval.evidence.levels import ScoreTable, levels_by_seed, summarise_levels
from gradval.report.figures import plot_levels


def by_seed(
    draws: int = 2, levels: tuple[str, ...] = ("nonprivate", "eps1", "eps8")
) -> pd.DataFrame:
    """Agreement of two scores of three seeds, of which privacy changes `vog` more."""
    rng = np.random.default_rng(0)
    rows, values = [], []
    for score, change in (("loss", 0.2), ("vog", 1.0)):
        for level in levels:
            base = np.arange(300) / 100 + change * rng.normal(size=300)
            for seed, draw in itertools.product(range(3), range(draws)):
                run = {"model": "resnet9", "privacy": level, "seed": seed, "draw": draw}
                rows.append({**run, "score": score})
                values.append(base + 0.3 * rng.normal(size=300))
    labels = np.arange(300) % 3
    return levels_by_seed(ScoreTable("digits", labels, pd.DataFrame(rows), np.array(values)))


def test_every_number_is_where_the_table_has_it() -> None:
    table = by_seed()
    left, middle, right = plot_levels(table, title="Levels").axes
    summary = summarise_levels(table)
    summary = summary[summary["statistic"] == "overlap"]
    effects = summary[summary["quantity"] == "effect"]
    pairs = effects.groupby(["privacy_a", "privacy_b"], sort=False)
    widest = pairs["value"].mean().idxmax()
    of_pair = summary.set_index(["privacy_a", "privacy_b"]).loc[widest]

    at_25 = of_pair[of_pair["k"] == 25].set_index(["quantity", "score"])["value"]
    expected = [
        100 * at_25[quantity, score]
        for quantity in ("across", "draw_ceiling", "seed_ceiling")
        for score in ("loss", "vog")
    ]
    assert [line.get_ydata()[0] for line in marked(left)] == pytest.approx(expected)

    shown = effects[effects["k"] == 25].set_index("score")["value"]
    for number, score in enumerate(("loss", "vog")):
        assert list(marked(middle)[number].get_xdata()) == pytest.approx(list(100 * shown[score]))
        curve = of_pair[(of_pair["quantity"] == "effect") & (of_pair["score"] == score)]
        drawn = marked(right)[number]
        assert list(drawn.get_xdata()) == list(curve["k"])
        assert list(drawn.get_ydata()) == pytest.approx(list(100 * curve["value"]))
    assert [t.get_text() for t in middle.get_yticklabels()] == [
        "non-private / ε = 1",
        "non-private / ε = 8",
        "ε = 1 / ε = 8",
    ]
    (band,) = left.patches
    assert band.get_y() == pytest.approx(100 * at_chance(table, "chance_low"))
    assert "ResNet-9, digits" in left.get_title() and "k = 25" in left.get_title()


def marked(axes: Axes) -> list[Line2D]:
    """The lines that have marks: neither error bars nor zero."""
    return [line for line in axes.lines if line.get_marker() not in ("None", "", None)]


def at_chance(table: pd.DataFrame, name: str) -> float:
    rows = table[(table["statistic"] == "overlap") & (table["k"] == 25)]
    return float(rows[name].iloc[0])


def test_a_row_for_every_model_and_data_set() -> None:
    table = pd.concat([by_seed(), by_seed().assign(model="resnet18")])
    figure = plot_levels(table)
    assert len(figure.axes) == 6
    assert "ceiling: same level and weights" in " ".join(texts(figure))


def test_without_an_effect_there_is_no_figure() -> None:
    with pytest.raises(ValueError, match="needs two draws and two levels"):
        plot_levels(by_seed(draws=1))
    with pytest.raises(ValueError, match="the column 'chance_low'"):
        plot_levels(by_seed().drop(columns="chance_low"))
