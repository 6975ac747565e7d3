"""Agreement score by score: means, intervals, seeds, chance and ceiling."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_inputs import KNOWN, rows, scored, texts
from matplotlib.axes import Axes
from matplotlib.colors import same_color

from gradval.report import figures
from gradval.report.figures.colours import GREY, SCORE_COLOURS


def means_of(axes: Axes) -> list[tuple[float, float]]:
    """Places (x, y) of the large dots of a panel, from the top."""
    dots = [
        (float(x), float(y))
        for line in axes.lines
        if line.get_marker() == "o" and line.get_markersize() == 9
        for x, y in line.get_xydata()
        if np.isfinite(x)
    ]
    return sorted(dots, key=lambda dot: dot[1])


def seeds_of(axes: Axes) -> list[list[float]]:
    """The values of the small dots of each row of a panel, from the top."""
    found: dict[int, list[float]] = {}
    for collection in axes.collections:
        for x, y in np.asarray(collection.get_offsets()):
            found.setdefault(round(y), []).append(float(x))
    return [sorted(found[row]) for row in sorted(found)]


def test_dots_are_means_with_intervals_and_seeds() -> None:
    figure = figures.plot_consistency(scored(), sides=("non-private", "ε = 4"))
    order = ["loss", "grad_norm", "vog", "plis"]
    scale = {"plis": 1 / 4, "loss": 2 / 4, "vog": 3 / 4, "grad_norm": 1}
    panels = ["overlap", "ssim_matched", "pearson_top_a", "spearman"]
    assert len(figure.axes) == 4
    for axes, panel in zip(figure.axes, panels, strict=True):
        values = np.array(KNOWN[panel][0])
        expected = [(scale[name] * values.mean(), row) for row, name in enumerate(order)]
        assert np.array(means_of(axes)) == pytest.approx(np.array(expected))
        assert seeds_of(axes) == [pytest.approx(sorted(scale[name] * values)) for name in order]
        assert axes.get_xlim()[1] == pytest.approx(1.03 * (25 if panel == "overlap" else 1))
        half = 4.302653 * values.std(ddof=1) / np.sqrt(3)  # t with 2 degrees of freedom
        for row, name in enumerate(order):
            (interval,) = (
                line
                for line in axes.lines
                if line.get_linewidth() == 2
                and list(line.get_ydata()) == [row, row]
                and np.isfinite(line.get_xdata()).all()
            )
            middle = scale[name] * values.mean()
            ends = [middle - scale[name] * half, middle + scale[name] * half]
            assert sorted(interval.get_xdata()) == pytest.approx(ends, abs=1e-5)
            assert same_color(interval.get_color(), SCORE_COLOURS[name])
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["Loss", "Gradient norm", "VoG", "PLIS"]
    assert "Pearson\n(top of non-private)" in texts(figure)
    assert "mean of 3 seeds, 95% interval" in texts(figure)


def test_agreement_states_what_its_numbers_are_of() -> None:
    small = figures.plot_consistency(
        scored(), k=25, candidates=1437, pearson_top=144, image_shape=(1, 8, 8)
    )
    assert "Overlap of 25 selected\nof 1,437 images" in texts(small)
    assert "Pearson\n(top 144 of non-private)" in texts(small)
    assert "SSIM\n(matched pairs)\nnot informative at 8 × 8 pixels" in texts(small)
    large = figures.plot_consistency(scored(), image_shape=(3, 32, 32))
    assert not any("informative" in text for text in texts(large))


def test_chance_is_a_band_that_nothing_hides_and_the_ceiling_a_line() -> None:
    figure = figures.plot_consistency(scored(("vog",)), panels=["ssim_matched", "bhattacharyya"])
    for axes, panel in zip(figure.axes, ["ssim_matched", "bhattacharyya"], strict=True):
        _, (_, low, high), ceilings = KNOWN[panel]
        (band,) = axes.patches
        assert same_color(band.get_facecolor(), GREY)
        assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((low, high))
        thick = [line for line in axes.lines if line.get_linewidth() == 2.5]
        assert [list(line.get_xdata()) for line in thick] == [
            pytest.approx([np.mean(ceilings)] * 2)
        ]
        left, right = axes.get_xlim()
        assert left <= min(low, 0) and right >= max(high, *ceilings)


def test_infinite_and_undefined_means_are_named() -> None:
    table = scored(("vog",))
    same = table["pairing"] == "same seed"
    table.loc[same & (table["statistic"] == "bhattacharyya"), "value"] = np.inf
    table.loc[same & (table["statistic"] == "spearman"), "value"] = np.nan
    figure = figures.plot_consistency(table, panels=["bhattacharyya", "spearman"])
    assert not means_of(figure.axes[0]) and not means_of(figure.axes[1])
    assert [axes.texts[0].get_text() for axes in figure.axes] == [" ∞", " undefined"]


@pytest.mark.parametrize(
    ("table", "changes", "message"),
    [
        (rows(), {}, "the column 'score'"),
        (scored().iloc[:0], {}, "at least one row"),
        (scored(), {"panels": ["ssim"]}, "unknown statistic 'ssim'"),
        (scored(), {"panels": ["pearson"]}, "no rows of 'pearson' for the score 'loss'"),
        (scored(), {"pairing": "no seed"}, "no rows of pairing 'no seed'"),
        (scored(), {"k": 24}, "k = 24, but an overlap is 25"),
        (pd.concat([scored(), scored(("vog",))]), {}, "of one comparison"),
    ],
)
def test_wrong_input_of_agreement(table: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        figures.plot_consistency(table, **changes)
