"""Figures of open questions: marks stand where the tables have their numbers, in readable words."""

import itertools

import numpy as np
import pandas as pd
import pytest
from figure_inputs import texts
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradval.evidence.correlations import CORRELATION_KEY
from gradval.evidence.doses import dose_effects
from gradval.evidence.reliability import summarise_reliability
from gradval.report.figures.correlations import plot_correlations
from gradval.report.figures.doses import plot_doses
from gradval.report.figures.explained import plot_explained
from gradval.report.figures.planted import plot_planted
from gradval.report.figures.reliability import plot_reliability
from gradval.report.figures.variants import plot_variants

LEVELS, SCORES, SEEDS = ("nonprivate", "eps4"), ("grad_norm", "vog"), range(3)
SETTING = {"dataset": "cifar10", "model": "resnet9"}
RAW = ("grad_norm", "nonprivate", "eps4", "resnet9", "cifar10", "wrong_labels", "minmax")


def rows(value: float = 0.1, **columns) -> pd.DataFrame:
    """Every combination of level, score, seed and the columns; values that differ between them."""
    names = ("privacy", "score", *columns, "seed")
    product = list(itertools.product(LEVELS, SCORES, *columns.values(), SEEDS))
    table = pd.DataFrame(product, columns=list(names)).assign(**SETTING)
    return table.assign(value=value + 0.8 * np.arange(len(table)) / len(table))


def points(axes: Axes) -> list[float]:
    """Places along x of all marks of a panel of dots."""
    marked = [line for line in axes.lines if line.get_marker() not in ("", "None", None)]
    return sorted(x for line in marked for x in np.atleast_1d(line.get_xdata()))


def means(table: pd.DataFrame, *by: str) -> list[float]:
    return sorted(table.groupby(list(by))["value"].mean())


def has_no_raw_names(figure: Figure) -> bool:
    return not any(name in text for text in texts(figure) for name in RAW)


def test_explained_shares() -> None:
    table = rows(quantity=["class", "image", "class and image", "repeatable"])
    figure = plot_explained(table, title="T")
    for axes, level in zip(figure.axes, LEVELS, strict=True):
        shown = table[(table["privacy"] == level) & (table["quantity"] != "repeatable")]
        expected = [100 * mean for mean in means(shown, "score", "quantity")]
        assert points(axes) == pytest.approx(expected)
        # The other patches are stripes, as high as their rows.
        bars = sorted(bar.get_width() for bar in axes.patches if bar.get_height() < 0.9)
        grey = table[(table["privacy"] == level) & (table["quantity"] == "repeatable")]
        assert bars == pytest.approx([100 * mean for mean in means(grey, "score")])
    assert has_no_raw_names(figure) and "Gradient norm" in texts(figure)


def test_planted() -> None:
    table = rows(kind=["wrong_labels"], end=["largest"], statistic=["auroc", "precision"])
    figure = plot_planted(table.assign(chance=0.1))
    for axes, statistic in zip(figure.axes, ("auroc", "precision"), strict=True):
        shown = table[table["statistic"] == statistic]
        assert points(axes) == pytest.approx(means(shown, "score", "privacy"))
    assert has_no_raw_names(figure)


def test_reliability() -> None:
    table = rows(scale=["ranks", "raw"])
    summary = summarise_reliability(table)
    left, right = plot_reliability(table, summary).axes
    ranks = table[table["scale"] == "ranks"]
    assert points(left) == pytest.approx(means(ranks, "score", "privacy"))
    needed = summary.loc[summary["scale"] == "ranks", "runs_needed"]
    bars = [patch.get_width() for patch in right.patches if patch.get_width() > 0]
    assert sorted(bars) == sorted(needed.clip(upper=100))
    assert has_no_raw_names(left.figure)


def test_variants() -> None:
    table = rows(
        family=["scale"],
        variant=["minmax", "raw"],
        statistic=["spearman", "overlap"],
        quantity=["with the usual one", "between seeds"],
    )
    figure = plot_variants(table)
    panels = itertools.product(("spearman", "overlap"), LEVELS)
    for axes, (statistic, level) in zip(figure.axes, panels, strict=True):
        shown = table[(table["statistic"] == statistic) & (table["privacy"] == level)]
        assert points(axes) == pytest.approx(means(shown, "score", "variant", "quantity"))
    assert has_no_raw_names(figure) and "VoG, min-max a class" in texts(figure)


def test_correlations() -> None:
    pairs = list(itertools.product(LEVELS, SCORES, SCORES))
    table = pd.DataFrame(pairs, columns=list(CORRELATION_KEY[2:])).assign(**SETTING)
    table["value"] = [1.0, 0.25, 0.25, 0.5, 0.9, 0.75, 0.75, 0.4]
    figure = plot_correlations(table)
    shown = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert shown == [["1.00", "0.25", "0.50"], ["0.90", "0.75", "0.40"]]
    assert has_no_raw_names(figure) and "ε = 4\nResNet-9, CIFAR-10" in texts(figure)


def arms() -> pd.DataFrame:
    """Two classes; by loss all are taken from the first, which costs its recall."""
    records = []
    for seed, fraction in itertools.product(SEEDS, (0.1, 0.2)):
        for score, scope in itertools.product(("loss", "random"), ("class", "global")):
            uneven = score == "loss" and scope == "global"
            for name in ("a", "b"):
                removed = 200 * fraction * (0 if name == "b" else 1) if uneven else 100 * fraction
                recall = 0.5 if uneven and name == "a" else 0.8
                about = {"class": name, "images": 100, "removed": removed, "recall": recall}
                accuracy = 0.7 - (0.04 if score == "loss" else 0) + 0.01 * seed
                key = {**SETTING, "privacy": "eps4", "seed": seed, "draw": 0, "score": score}
                key |= {"end": "largest", "scope": scope, "fraction": fraction}
                records.append({**key, **about, "test_accuracy": accuracy})
    return pd.DataFrame(records)


def test_doses_are_differences_from_random_removal_of_as_many() -> None:
    found = dose_effects(arms())
    mean = found.groupby(["scope", "fraction", "quantity"])["value"].mean()
    for scope, fraction in itertools.product(("class", "global"), (0.1, 0.2)):
        assert mean[scope, fraction, "accuracy"] == pytest.approx(-4)
        expected = -4 / (200 * fraction) * 1000
        assert mean[scope, fraction, "per 1,000 removed"] == pytest.approx(expected)
    assert mean["class", 0.1, "uneven"] == 0
    assert mean["global", 0.1, "uneven"] == pytest.approx(20)
    assert mean["global", 0.2, "worst recall"] == pytest.approx(-30)
    figure = plot_doses(found)
    upper, _, lower, _ = figure.axes
    line = next(line for line in upper.lines if line.get_marker() == "o")
    assert list(line.get_ydata()) == pytest.approx([-200, -100])
    assert [t.get_text() for t in lower.get_xticklabels()] == ["10", "20"]
    assert has_no_raw_names(figure)
    with pytest.raises(ValueError, match="removal by loss: there is no random removal of as many"):
        dose_effects(arms().query("score != 'random'"))
