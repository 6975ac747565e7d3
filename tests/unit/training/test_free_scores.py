"""How well free scores agree with exact ones: numbers known beforehand, and their figure."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from gradval.report.figures import plot_free_scores
from gradval.report.figures.colours import SCORE_COLOURS
from gradval.selection.free_score_agreement import free_score_agreement

N = 40
RISING = np.arange(N, dtype=float)


def table(**scores: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"id": [f"image-{i}" for i in range(N)], **scores})


def agreement() -> pd.DataFrame:
    """Two seeds: in the first free equals exact, in the second it is upside down."""
    exact = {
        (0, 0): table(loss=RISING, grad_norm=RISING, vog=RISING),
        (1, 0): table(loss=RISING, grad_norm=RISING, vog=np.roll(RISING, 4)),
    }
    free = {
        (0, 0): table(loss=2 * RISING, vog=RISING**2),
        (1, 0): table(loss=RISING.max() - RISING, vog=np.roll(RISING, 4)),
    }
    return free_score_agreement(free, exact, k=10)


def test_agreement_of_known_scores() -> None:
    found = agreement().set_index(["compared", "seed", "score"])
    assert list(found.index) == [
        ("free", 0, "loss"),
        ("free", 0, "vog"),
        ("free", 1, "loss"),
        ("free", 1, "vog"),
        ("another seed", 0, "loss"),
        ("another seed", 0, "vog"),
    ]
    assert found["spearman"].iloc[:5].tolist() == pytest.approx([1, 1, -1, 1, 1])
    # Moved on by 4, six of the ten largest stay among them.
    assert found["overlap"].tolist() == [10, 10, 0, 10, 10, 6]
    assert (found["samples"] == N).all() and (found["chance"] == 10**2 / N).all()


def test_samples_without_a_free_score_come_last() -> None:
    missing = RISING.copy()
    missing[-5:] = np.nan
    found = free_score_agreement({(3, 1): table(vog=missing)}, {(3, 1): table(vog=RISING)}, k=10)
    row = found.iloc[0]
    assert (row["samples"], row["overlap"], row["seed"], row["draw"]) == (N - 5, 5, 3, 1)
    assert row["spearman"] == pytest.approx(1)


def test_tables_of_other_samples_are_refused() -> None:
    other = table(vog=RISING).iloc[::-1].reset_index(drop=True)
    with pytest.raises(ValueError, match="not of the same samples"):
        free_score_agreement({(0, 0): other}, {(0, 0): table(vog=RISING)}, k=3)


def test_draws_of_one_seed_are_no_other_seed() -> None:
    runs = {run: table(vog=np.roll(RISING, sum(run))) for run in ((0, 0), (0, 1), (1, 0))}
    found = free_score_agreement(runs, runs, k=10)
    others = found[found["compared"] == "another seed"]
    assert list(zip(others["seed"], others["draw"], strict=True)) == [(0, 0), (0, 1)]
    # The seed with two draws is one dot.
    setting = {"dataset": "digits", "model": "resnet9", "privacy": "eps1"}
    upper, _ = plot_free_scores(found.assign(**setting), k=10).axes
    dots = [c for c in upper.collections if len(c.get_offsets())]
    assert sum(len(c.get_offsets()) for c in dots) == 2


def test_figure_shows_means_seeds_and_what_two_seeds_share() -> None:
    parts = []
    for privacy in ("nonprivate", "eps1"):
        parts.append(agreement().assign(dataset="digits", model="resnet9", privacy=privacy))
    figure = plot_free_scores(pd.concat(parts), k=10, title="Free scores")
    upper, lower = figure.axes
    assert [text.get_text() for text in lower.get_xticklabels()] == ["non-private", "ε = 1"]
    for axes, means in ((upper, [0, 1]), (lower, [5, 10])):
        drawn = [
            (float(x), float(y), line.get_color())
            for line in axes.lines
            if line.get_markersize() == 9
            for x, y in line.get_xydata()
        ]
        assert [y for _, y, _ in sorted(drawn)] == pytest.approx(means * 2)
        colours = [to_hex(colour).upper() for _, _, colour in sorted(drawn)]
        assert colours == [SCORE_COLOURS[score] for score in ("loss", "vog")] * 2
        # Seeds and the agreement of two seeds stand above and below the mark of their score.
        places = {round(x, 6) for x, _, _ in drawn}
        offsets = np.concatenate([c.get_offsets() for c in axes.collections])
        assert {round(float(x), 6) for x in offsets[:, 0]} == places
        lines = [line for line in axes.lines if line.get_linewidth() == 2.5]
        assert {round(float(np.mean(line.get_xdata())), 6) for line in lines} == places
    marks = [line for line in lower.lines if line.get_linewidth() == 2.5]
    assert sorted(line.get_ydata()[0] for line in marks) == [6, 6, 10, 10]
    points = np.concatenate([collection.get_offsets() for collection in lower.collections])
    assert sorted(points[:, 1]) == [0, 0, 10, 10, 10, 10, 10, 10]
    (chance,) = (line for line in lower.lines if line.get_linestyle() == "--")
    assert chance.get_ydata()[0] == 10**2 / N
    assert lower.get_ylim()[0] == 0 and lower.get_ylim()[1] > 10
    assert upper.get_ylim()[0] == -1 and upper.get_ylim()[1] > 1


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="must have the column 'dataset'"):
        plot_free_scores(agreement())
