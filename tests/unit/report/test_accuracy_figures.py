"""Table 1 as a figure, and learning curves."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_inputs import accuracies, curves, texts
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from gradval.report import figures
from gradval.report.figures.colours import SCORE_COLOURS
from gradval.study.names import model_label


def points_of(axes: Axes, large: bool) -> list[tuple[float, float, Any]]:
    """Place, percentage and collection of the means or of the seeds, from the left."""
    found = [
        (float(x), float(y), collection)
        for collection in axes.collections
        if (collection.get_sizes()[0] > 50) == large
        for x, y in np.asarray(collection.get_offsets())
    ]
    return sorted(found, key=lambda point: point[:2])


def test_table1_shows_seeds_on_their_means_in_order() -> None:
    table = accuracies()
    (axes,) = figures.plot_table1(table).axes
    levels = ["nonprivate", "eps2", "eps10"]
    removals = ["loss", "grad_norm", "vog", "plis", "random", "none"]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["non-private", "ε = 2", "ε = 10"]
    means, seeds = points_of(axes, True), points_of(axes, False)
    assert [round(x) for x, _, _ in means] == np.repeat([0, 1, 2], 6).tolist()
    for number, (level, removal) in enumerate(itertools.product(levels, removals)):
        chosen = table[(table["privacy"] == level) & (table["removal"] == removal)]
        percent = sorted(100 * chosen["test_accuracy"])
        x, y, collection = means[number]
        assert y == pytest.approx(np.mean(percent))
        assert same_color(collection.get_facecolor()[0], SCORE_COLOURS[removal])
        of_seeds = seeds[3 * number : 3 * number + 3]
        assert [point[0] for point in of_seeds] == pytest.approx([x] * 3)
        assert [point[1] for point in of_seeds] == pytest.approx(percent)


def test_table1_shows_the_mean_of_the_draws_of_a_seed() -> None:
    table = accuracies()
    spread = pd.concat(
        table.assign(draw=draw, test_accuracy=table["test_accuracy"] + shift)
        for draw, shift in enumerate((-0.02, 0.02))
    )
    (axes,), (of_draws,) = figures.plot_table1(table).axes, figures.plot_table1(spread).axes
    for large in (True, False):
        expected = [point[:2] for point in points_of(axes, large)]
        found = [point[:2] for point in points_of(of_draws, large)]
        assert np.array(found) == pytest.approx(np.array(expected))


def test_learning_curves_show_every_draw() -> None:
    table = pd.concat([curves(), curves().assign(draw=1)])
    for axes in figures.plot_learning_curves(table).axes:
        assert sum(line.get_linewidth() == 0.8 for line in axes.lines) == 2 * 9


def test_table1_links_the_runs_of_a_seed() -> None:
    table = accuracies()
    (axes,) = figures.plot_table1(table).axes
    links = [
        line for line in axes.lines if line.get_linewidth() == 0.8 and len(line.get_xdata()) > 2
    ]
    assert len(links) == 9  # a level and seed each
    order = ["loss", "grad_norm", "vog", "plis", "random", "none"]
    drawn = sorted(tuple(np.round(line.get_ydata(), 6)) for line in links)
    runs = table.set_index(["privacy", "seed", "removal"])["test_accuracy"]
    expected = [
        tuple(np.round([100 * runs[level, seed, removal] for removal in order], 6))
        for level in ("nonprivate", "eps2", "eps10")
        for seed in range(3)
    ]
    assert drawn == sorted(expected)


def test_table1_explains_the_mean_of_random_removal() -> None:
    table = accuracies()
    (axes,) = figures.plot_table1(table).axes
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    random = table[table["removal"] == "random"].groupby("privacy")["test_accuracy"].mean()
    assert [line.get_ydata()[0] for line in dashed] == pytest.approx(
        [100 * random[n] for n in ("nonprivate", "eps2", "eps10")]
    )
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[-2:] == ["one seed", "mean of\nrandom removal"]
    (without,) = figures.plot_table1(table.query("removal != 'random'")).axes
    assert len(without.get_legend().get_texts()) == 6


def test_table1_leaves_out_what_was_not_run() -> None:
    table = accuracies().query("removal in ('vog', 'loss')")
    table = table[(table["privacy"] != "eps2") | (table["removal"] != "vog")]
    (axes,) = figures.plot_table1(table).axes
    assert len(points_of(axes, True)) == 5


def test_table1_marks_removals_by_released_scores_as_hollow() -> None:
    raw = accuracies()
    released = raw.query("removal == 'vog' and privacy != 'nonprivate'")
    table = pd.concat([raw, released.assign(removal="vog_released")])
    (axes,) = figures.plot_table1(table).axes
    labels = [t.get_text() for t in axes.get_legend().get_texts()]
    assert labels.index("VoG, released") == labels.index("PLIS") + 1
    means = points_of(axes, True)
    hollow = [
        (x, collection)
        for x, _, collection in means
        if same_color(collection.get_facecolor()[0], "white")
    ]
    assert len(hollow) == 2 and len(means) == 6 * 3 + 2
    for _, collection in hollow:
        assert same_color(collection.get_edgecolor()[0], SCORE_COLOURS["vog"])


def test_learning_curves_show_each_seed_and_the_mean_of_those_that_have_the_epoch() -> None:
    figure = figures.plot_learning_curves(curves())
    assert [axes.get_title() for axes in figure.axes] == ["ResNet-9", "WideResNet-50"]
    for m, axes in enumerate(figure.axes):
        thin = [line for line in axes.lines if line.get_linewidth() == 0.8]
        thick = [line for line in axes.lines if line.get_linewidth() == 2.5]
        assert (len(thin), len(thick)) == (9, 3)
        drawn = sorted((list(line.get_xdata()), list(line.get_ydata())) for line in thick)
        for p, (epochs, percents) in enumerate(drawn):
            assert epochs == [1, 2, 3, 4]
            base = 10 * (1 + m) + 10 * p
            expected = [base + 3, base + 5, base + 7, base + 8]  # the last: seed 0 alone
            assert percents == pytest.approx(expected)
        assert sorted(len(line.get_xdata()) for line in thin) == [3, 3, 3, 3, 3, 3, 4, 4, 4]
        # Neither colour nor dashes are shared by two levels.
        assert len({line.get_color() for line in thick}) == 3
        assert len({str(line._dash_pattern) for line in thick}) == 3  # type: ignore[attr-defined]
    legend = figure.axes[1].get_legend()
    labels = [t.get_text() for t in legend.get_texts()]
    assert labels == ["non-private", "ε = 1", "ε = 4", "one run"]


def test_learning_curves_show_the_constant_answer() -> None:
    table = curves()
    table["constant"] = np.where(table["model"] == "resnet9", 0.1, 0.62)
    figure = figures.plot_learning_curves(table)
    for axes, share in zip(figure.axes, (0.1, 0.62), strict=True):
        (line,) = (line for line in axes.lines if line.get_linestyle() == ":")
        assert list(line.get_ydata()) == pytest.approx([100 * share] * 2)
    assert "always the most\nfrequent class" in texts(figure)


@pytest.mark.parametrize("n", [1, 3, 4, 5, 6])
def test_learning_curves_have_a_panel_a_model(n: int) -> None:
    models = ("resnet9", "resnet18", "resnet101", "resnext101", "wideresnet50", "mine")[:n]
    figure = figures.plot_learning_curves(curves(models))
    shown = [axes.get_title() for axes in figure.axes if axes.get_visible()]
    assert shown == [model_label(model) for model in models]


@pytest.mark.parametrize("plot", [figures.plot_table1, figures.plot_learning_curves])
def test_wrong_input_of_accuracies(plot: Callable[[pd.DataFrame], Figure]) -> None:
    table = accuracies() if plot is figures.plot_table1 else curves()
    for wrong, message in (
        (table.drop(columns="seed"), "the column 'seed'"),
        (table.iloc[:0], "at least one row"),
        (pd.concat([table, table]), "occur twice"),
        (table.assign(test_accuracy=56.6), "between 0 and 1"),
        (table.assign(test_accuracy=np.nan), "between 0 and 1"),
        (table.assign(privacy="epsilon4").drop_duplicates("seed"), "'epsilon4' is not allowed"),
    ):
        with pytest.raises(ValueError, match=message):
            plot(wrong)
