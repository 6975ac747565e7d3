"""Figures show what they are given: tiles, frames, bars, numbers, and nothing that is cut off."""

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from sklearn.datasets import load_digits

from gradval.report import figures
from gradval.report.figures.colours import COMMON_COLOUR, GREY, SCORE_COLOURS, score_colours
from gradval.study.names import model_label

DIGITS = load_digits()
IMAGES = np.round(DIGITS.images * 255 / 16).astype(np.uint8)[:, None]
LABELS = DIGITS.target
NAMES = [str(i) for i in range(10)]
TITLES = ("ResNet-18, ε = 1", "ResNet-18, ε = 8")
FIGURES = Path(figures.__file__).parent

# Value for seeds 0, 1, 2; chance with its interval; ceilings of the sides a and b.
KNOWN = {
    "overlap": ((20, 21, 25), (1.25, 0, 4), (24, 23)),
    "ssim_matched": ((0.5, 0.6, 0.73), (0.31, 0.28, 0.35), (0.9, 0.8)),
    "ssim_rank": ((0.4, 0.4, 0.4), (0.2, 0.15, 0.25), (0.6, 0.5)),
    "bhattacharyya": ((0.06, 0.07, 0.08), (0.4, 0.1, 0.9), (0.03, 0.04)),
    "pearson_top_a": ((-0.1, 0.1, 0.15), (0.0, -0.06, 0.06), (0.7, 0.9)),
    "spearman": ((0.81, 0.82, 0.83), (0.0, -0.02, 0.02), (0.95, 0.85)),
}


def rows(seeds: int = 3, known: dict[str, Any] = KNOWN, scale: float = 1.0) -> pd.DataFrame:
    """Rows of a statistics.csv: what is in `known` (times `scale`), and traps beside it."""
    table = []
    for name, (values, (chance, low, high), ceilings) in known.items():
        common = {"statistic": name, "chance": chance, "chance_low": low, "chance_high": high}
        cells = [("same seed", s, s, scale * values[s]) for s in range(seeds)]
        for a, b in itertools.permutations(range(seeds), 2):
            cells.append(("other seed", a, b, 0.01 * (a + 2 * b)))
        # The pairs differ, their mean is the ceiling.
        for a, b in itertools.combinations(range(seeds), 2):
            spread = 0.01 * (a + b - 2) if seeds == 3 else 0.0
            cells.append(("ceiling a", a, b, ceilings[0] + spread))
            cells.append(("ceiling b", a, b, ceilings[1] - spread))
        table += [
            {"pairing": p, "seed_a": a, "seed_b": b, "value": value, **common}
            for p, a, b, value in cells
        ]
    return pd.DataFrame(table).assign(comparison="figure6")


def pair(k: int = 25, shift: int = 10, classes: bool = False, **changes: Any) -> Figure:
    """Two selections of digits of which all but `shift` are the same, in another order."""
    a = np.arange(100, 100 + k)
    b = np.random.default_rng(0).permutation(a + shift)
    arguments: dict[str, Any] = {
        "images_a": IMAGES[a],
        "images_b": IMAGES[b],
        "indices_a": a,
        "indices_b": b,
        "titles": TITLES,
        "statistics": rows(),
    }
    if classes:
        arguments |= {"classes_a": LABELS[a], "classes_b": LABELS[b], "class_names": NAMES}
    return figures.plot_selection_pair(**{**arguments, **changes})


def footnotes_of(figure: Figure) -> list[str]:
    """The sentences below the table."""
    return [text.get_text() for text in figure.axes[-1].texts if text.get_style() == "italic"]


def table_of(figure: Figure) -> list[list[str]]:
    """The text of the table at the foot of a figure, row by row, from the left."""
    cells: dict[float, list[tuple[float, str]]] = {}
    for text in figure.axes[-1].texts:
        if text.get_style() == "italic":
            continue
        x, y = text.get_position()
        cells.setdefault(y, []).append((x, text.get_text()))
    return [[text for _, text in sorted(cells[y])] for y in sorted(cells)]


def framed(axes: Axes) -> np.ndarray:
    """Which images (in their order) have a frame: a coloured rectangle that sticks out around."""
    mask = np.zeros(len(axes.images), dtype=bool)
    for patch in axes.patches:
        assert isinstance(patch, Rectangle)
        assert same_color(patch.get_facecolor(), COMMON_COLOUR)
        box = patch.get_bbox()
        inside = [
            box.x0 < min(i.get_extent()[:2])
            and max(i.get_extent()[:2]) < box.x1
            and box.y0 < min(i.get_extent()[2:])
            and max(i.get_extent()[2:]) < box.y1
            for i in axes.images
        ]
        assert sum(inside) == 1
        assert patch.get_zorder() < min(image.get_zorder() for image in axes.images)
        mask |= np.array(inside)
    assert mask.sum() == len(axes.patches)
    return mask


def bars(axes: Axes) -> list[Rectangle]:
    """The bars of a panel, from top to bottom."""
    return [bar for container in axes.containers for bar in container]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def pixels(image: AxesImage) -> np.ndarray:
    return np.asarray(image.get_array())


def accuracies(seeds: int = 3, privacies: tuple[str, ...] = ("eps10", "nonprivate", "eps2")) -> Any:
    """Runs in an order that is not the figure's."""
    return pd.DataFrame(
        [
            {
                "privacy": privacy,
                "removal": removal,
                "seed": seed,
                "test_accuracy": 0.5 + 0.1 * p + 0.01 * r + 0.004 * seed**2,
            }
            for p, privacy in enumerate(privacies)
            for r, removal in enumerate(("none", "random", "vog", "plis", "grad_norm", "loss"))
            for seed in range(seeds)
        ]
    )


def curves(models: tuple[str, ...] = ("resnet9", "wideresnet50")) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "model": model,
                "privacy": privacy,
                "seed": seed,
                "epoch": epoch,
                "test_accuracy": 0.1 * (1 + m) + 0.02 * epoch + 0.01 * seed + 0.1 * p,
            }
            for m, model in enumerate(models)
            for p, privacy in enumerate(("eps1", "eps4", "nonprivate"))
            for seed in range(3)
            for epoch in (3, 1, 2, *((4,) if seed == 0 else ()))
        ]
    )


def scored(names: tuple[str, ...] = ("plis", "loss", "vog", "grad_norm")) -> pd.DataFrame:
    parts = {name: rows(scale=(1 + i) / 4) for i, name in enumerate(names)}
    return pd.concat([part.assign(score=name) for name, part in parts.items()])


# --- two selections -------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 7, 25, 36])
@pytest.mark.parametrize("classes", [False, True])
def test_every_selected_image_is_a_tile_in_the_order_of_its_rank(k: int, classes: bool) -> None:
    many = rows(known={**KNOWN, "overlap": ((0, 0, 1), (0, 0, 1), (1, 1))})
    figure = pair(k=k, classes=classes, statistics=many)
    a = np.arange(100, 100 + k)
    b = np.random.default_rng(0).permutation(a + 10)
    for axes, chosen in zip(figure.axes, (a, b), strict=False):
        assert [pixels(image).tolist() for image in axes.images] == IMAGES[chosen, 0].tolist()
        corners = [(image.get_extent()[3], image.get_extent()[0]) for image in axes.images]
        assert corners == sorted(corners)  # rows from the top, each from the left
        boxes = [image.get_extent() for image in axes.images]
        for (l1, r1, b1, t1), (l2, r2, b2, t2) in itertools.combinations(boxes, 2):
            assert r1 <= l2 or r2 <= l1 or b1 <= t2 or b2 <= t1


@pytest.mark.parametrize("shift", [0, 1, 10, 24, 25])
@pytest.mark.parametrize("classes", [False, True])
def test_frames_are_around_exactly_the_common_images(shift: int, classes: bool) -> None:
    figure = pair(shift=shift, classes=classes)
    a = np.arange(100, 125)
    b = np.random.default_rng(0).permutation(a + shift)
    assert framed(figure.axes[0]).tolist() == [i in set(b) for i in a]
    assert framed(figure.axes[1]).tolist() == [i in set(a) for i in b]
    (legend,) = figure.legends
    assert f"selected by both ({25 - shift} of the 25 shown)" in legend.get_texts()[0].get_text()


def test_images_that_look_the_same_are_not_common() -> None:
    same = np.repeat(IMAGES[:1], 25, axis=0)
    figure = pair(images_a=same, images_b=same, indices_b=np.arange(300, 325))
    assert not framed(figure.axes[0]).any() and not framed(figure.axes[1]).any()


def test_colours_and_aspect_ratio_are_kept() -> None:
    wide = np.zeros((25, 3, 8, 16), dtype=np.uint8)
    wide[:, 0] = 200
    figure = pair(images_a=wide, images_b=wide)
    image = figure.axes[0].images[0]
    assert pixels(image).shape == (8, 16, 3)
    assert (pixels(image) == [200, 0, 0]).all()
    left, right, bottom, top = image.get_extent()
    assert right - left == pytest.approx(2 * (bottom - top))
    assert right < figure.axes[0].images[1].get_extent()[0]
    figure.draw_without_rendering()
    box = image.get_window_extent()
    assert box.width == pytest.approx(2 * box.height)


def test_grey_is_not_stretched() -> None:
    faint = np.full((25, 1, 8, 8), 100, dtype=np.uint8)
    faint[:, :, 0, 0] = 110
    for image in pair(images_a=faint, images_b=faint).axes[0].images:
        assert image.get_clim() == (0, 255)
        assert image.get_interpolation() == "nearest"


def test_table_holds_mean_chance_ceiling_and_paper() -> None:
    table = table_of(pair(paper={"ssim_matched": 0.552, "bhattacharyya": 0.32, "overlap": 21}))
    assert table[0][1:] == [
        "measured, mean of 3 seeds (range)",
        "chance (95% interval)",
        "ceiling: two seeds, left | right",
        "paper",
    ]
    assert table[1:] == [
        ["Overlap (of 25) ↑", "22.0 (20 to 25)", "1.2 (0 to 4)", "24.0 | 23.0", "21"],
        [
            "SSIM (matched pairs) ↑",
            "0.61 (0.50 to 0.73)",
            "0.31 (0.28 to 0.35)",
            "0.90 | 0.80",
            "0.552",
        ],
        [
            "Bhattacharyya distance ↓",
            "0.070 (0.060 to 0.080)",
            "0.400 (0.100 to 0.900)",
            "0.030 | 0.040",
            "0.32",
        ],
        [
            "Spearman correlation ↑",
            "0.82 (0.81 to 0.83)",
            "0.00 (−0.02 to 0.02)",
            "0.95 | 0.85",
            "–",
        ],
    ]


def test_footnotes_say_what_cannot_be_compared() -> None:
    (tiny, distance) = footnotes_of(pair(paper={"bhattacharyya": 0.914}))
    assert tiny.startswith("SSIM and Bhattacharyya distance are not informative at 8 × 8 pixels")
    assert "(chance: 0.31 and 0.400)" in tiny
    assert "does not define" in distance and "0.914" in distance and "out of reach" in distance
    large = np.repeat(np.repeat(IMAGES[:25], 4, axis=2), 4, axis=3)
    assert footnotes_of(pair(images_a=large, images_b=large)) == []


def test_titles_of_sheets_keep_their_lines() -> None:
    figure = pair(titles=("VoG, ResNet-18, ε = 1\ndigits, class 2", "a " * 40))
    assert figure.axes[0].get_title() == "VoG, ResNet-18, ε = 1\ndigits, class 2"
    assert max(map(len, figure.axes[1].get_title().split("\n"))) <= 44


def test_table_without_paper_has_no_column_for_it() -> None:
    assert [len(row) for row in table_of(pair())] == [4] * 5


def test_a_further_statistic_of_the_paper_gets_a_line() -> None:
    table = table_of(pair(paper={"pearson_top_a": 0.09}))
    assert table[5] == [
        "Pearson (top of left) ↑",
        "0.05 (−0.10 to 0.15)",
        "0.00 (−0.06 to 0.06)",
        "0.70 | 0.90",
        "0.09",
    ]


def test_table_of_one_seed_has_no_range_and_no_ceiling() -> None:
    table = table_of(pair(statistics=rows(seeds=1)))
    assert table[0][1] == "measured, one seed"
    assert table[1][1:] == ["20.0", "1.2 (0 to 4)", "– | –"]


def test_table_of_other_seeds() -> None:
    table = table_of(pair(pairing="other seed"))
    # 0.01 (a + 2 b) over all ordered pairs of 0, 1, 2
    assert table[0][1] == "measured, mean of 6 pairs of seeds (range)"
    assert table[2][1] == "0.03 (0.01 to 0.05)"


def test_table_says_what_is_infinite_or_undefined() -> None:
    table = rows()
    same = table["pairing"] == "same seed"
    table.loc[same & (table["statistic"] == "bhattacharyya"), "value"] = [0.5, np.inf, 0.7]
    table.loc[same & (table["statistic"] == "spearman"), "value"] = [0.5, np.nan, 0.7]
    table.loc[same & (table["statistic"] == "ssim_matched"), "value"] = np.nan
    measured = [row[1] for row in table_of(pair(statistics=table))]
    assert measured[2:] == ["–", "∞ (0.500 to ∞)", "0.60 (0.50 to 0.70), 1 undefined"]


def test_classes_are_named_and_counted_and_dominant_ones_highlighted() -> None:
    a, b = np.arange(100, 125), np.arange(200, 225)
    labels_a = np.repeat([3, 8, 1, 0], [9, 9, 6, 1])
    labels_b = np.repeat([9, 3, 0], [20, 4, 1])
    figure = pair(
        images_b=IMAGES[b],
        indices_b=b,
        classes_a=labels_a,
        classes_b=labels_b,
        class_names=[f"class {i}" for i in range(10)],
    )
    assert len(a) == len(labels_a)
    for number, labels in enumerate((labels_a, labels_b)):
        captions = [text.get_text() for text in figure.axes[number].texts]
        assert captions == [f"class {i}" for i in labels]
        drawn = bars(figure.axes[2 + number])
        expected = np.bincount(labels, minlength=10)
        assert [bar.get_width() for bar in drawn] == expected.tolist()
        plain = [same_color(bar.get_facecolor(), GREY) for bar in drawn]
        assert plain == (expected < expected.max()).tolist()
    assert figure.axes[2].xaxis_inverted() and not figure.axes[3].xaxis_inverted()


def test_of_many_classes_the_most_frequent_are_counted() -> None:
    labels = np.repeat([40, 77, 12], [12, 10, 3])
    names = [f"class {i}" for i in range(100)]
    figure = pair(classes_a=labels, classes_b=labels, class_names=names)
    shown = [text.get_text() for text in figure.axes[3].texts if "class" in text.get_text()]
    assert len(shown) == len(bars(figure.axes[3])) == 12
    widths = {bar.get_y() + bar.get_height() / 2: bar.get_width() for bar in bars(figure.axes[3])}
    counts = {
        text.get_text(): widths[text.get_position()[1]]
        for text in figure.axes[3].texts
        if "class" in text.get_text()
    }
    assert {name: n for name, n in counts.items() if n} == {
        "class 40": 12,
        "class 77": 10,
        "class 12": 3,
    }
    assert "most frequent classes" in texts(figure)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images_a": IMAGES[:25] / 255}, "images_a must be uint8"),
        ({"images_b": IMAGES[:25, 0]}, "images_b must be uint8"),
        ({"images_a": np.repeat(IMAGES[:25], 2, axis=1)}, "1 or 3 channels"),
        ({"images_b": IMAGES[:24]}, "as many images of one shape"),
        ({"indices_a": np.arange(24)}, "indices_a must be 25 integers"),
        ({"indices_b": np.arange(25) / 2}, "indices_b must be 25 integers"),
        ({"indices_b": np.zeros(25, dtype=int)}, "indices_b must differ"),
        ({"classes_a": LABELS[:25]}, "given together"),
        ({"classes_a": LABELS[:25], "classes_b": LABELS[:25]}, "given together"),
        ({"class_names": NAMES}, "given together"),
        (
            {"classes_a": LABELS[:25], "classes_b": LABELS[:25], "class_names": NAMES[:9]},
            r"classes_a must lie in \[0, 9\)",
        ),
        (
            {"classes_a": LABELS[:25], "classes_b": LABELS[:9], "class_names": NAMES},
            "classes_b must be 25 integers",
        ),
        ({"paper": {"ssim": 0.5}}, "unknown statistic 'ssim'"),
        ({"paper": {"pearson": 0.5}}, "no rows of 'pearson'"),
        ({"statistics": rows().drop(columns="chance_low")}, "the column 'chance_low'"),
        ({"statistics": rows().iloc[:0]}, "at least one row"),
        ({"statistics": rows().query("statistic != 'spearman'")}, "no rows of 'spearman'"),
        ({"statistics": pd.concat([rows(), rows(1)])}, "of one comparison"),
        ({"pairing": "same"}, "no rows of pairing 'same', only of: ceiling a"),
        ({"statistics": rows(scale=1.01)}, "k = 25, but an overlap is 25.25"),
    ],
)
def test_wrong_input_of_a_pair(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        pair(**changes)
    assert "\n" not in str(caught.value)


# --- summaries ------------------------------------------------------------------------------------


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


# --- the distribution of a score ------------------------------------------------------------------


def distribution(**changes: Any) -> Figure:
    arguments: dict[str, Any] = {
        "scores": np.random.default_rng(0).permutation(1797) / 1796,
        "images": IMAGES,
        "score": "vog",
    }
    return figures.plot_score_distribution(**{**arguments, **changes})


def extremes(**changes: Any) -> Figure:
    """Both ends of a score, with digits of known classes."""
    arguments: dict[str, Any] = {
        "largest": IMAGES[:25],
        "smallest": IMAGES[30:55],
        "names_largest": [NAMES[i] for i in LABELS[:25]],
        "names_smallest": [NAMES[i] for i in LABELS[30:55]],
    }
    return figures.plot_extremes(**{**arguments, **changes})


def test_extremes_show_every_image_in_order_above_its_class() -> None:
    figure = extremes()
    for axes, first in zip(figure.axes, (0, 30), strict=True):
        assert len(axes.images) == 25
        for image, expected in zip(axes.images, IMAGES[first : first + 25], strict=True):
            np.testing.assert_array_equal(pixels(image), expected[0])
        captions = [text.get_text() for text in axes.texts]
        assert captions == [NAMES[i] for i in LABELS[first : first + 25]]


def test_wrong_input_of_extremes() -> None:
    with pytest.raises(ValueError, match="smallest: 25 images, but 1 class names"):
        extremes(names_smallest=["0"])
    with pytest.raises(ValueError, match="largest must be uint8"):
        extremes(largest=IMAGES[:25] / 255)


def test_histogram_counts_every_score_once() -> None:
    scores = np.random.default_rng(1).beta(1, 8, 1797)
    strip, histogram = distribution(scores=scores, bins=20).axes
    expected, edges = np.histogram(scores, bins=20)
    drawn = bars(histogram)
    assert [bar.get_height() for bar in drawn] == expected.tolist()
    assert [bar.get_x() for bar in drawn] == pytest.approx(edges[:-1].tolist())
    assert all(same_color(bar.get_facecolor(), SCORE_COLOURS["vog"]) for bar in drawn)
    low, high = histogram.get_xlim()
    assert low <= scores.min() and scores.max() <= high
    assert histogram.get_xscale() == histogram.get_yscale() == "linear"
    assert len(strip.images) == 11


def test_scores_that_crowd_near_zero_get_a_logarithmic_axis() -> None:
    scores = np.random.default_rng(0).permutation(np.logspace(-6, 0, 1797))
    scores[:10] = 0.0
    figure = distribution(scores=scores, labels=LABELS, class_names=NAMES)
    strip, histogram, classes = figure.axes
    assert histogram.get_xscale() == classes.get_xscale() == "log"
    assert sum(bar.get_height() for bar in bars(histogram)) == 1797  # zeros as well
    edge = np.quantile(scores[scores > 0], 0.01)
    below = int((scores < edge).sum())
    assert f"the {below} below" in classes.get_xlabel() and below >= 10
    order = np.sort(scores)
    quantiles = [order[round(q * 1796)] for q in np.linspace(0, 1, 11)]
    places = [line.get_xdata()[0] for line in histogram.lines]
    assert places == pytest.approx(np.maximum(quantiles, edge))
    # Told apart on paper: no two lines within 2% of the width, no two scores of one text.
    steps = np.diff(np.log(places)) / np.diff(np.log(histogram.get_xlim()))
    assert steps.min() > 0.02
    printed = [text.get_text().split("\n")[1] for text in strip.texts[:11]]
    assert len(set(printed)) == 11 and printed[0] == "0" and printed[-1] == "1.0"


def test_an_axis_draws_no_conclusion() -> None:
    for text in texts(distribution()):
        assert "typical" not in text


def test_examples_lie_at_the_quantiles_and_are_tied_to_their_scores() -> None:
    scores = np.random.default_rng(0).permutation(1797).astype(float)
    figure = distribution(scores=scores)
    strip, histogram = figure.axes
    expected = [round(q * 1796) for q in np.linspace(0, 1, 11)]
    index_of = np.argsort(scores)
    assert [pixels(image).tolist() for image in strip.images] == [
        IMAGES[index_of[value], 0].tolist() for value in expected
    ]
    assert strip.texts[0].get_text() == "0%\n0"
    assert "100%\n1796" in [text.get_text() for text in strip.texts]
    assert [line.get_xdata()[0] for line in histogram.lines] == expected


def test_classes_have_a_box_each_with_their_median_on_the_same_axis() -> None:
    scores = np.random.default_rng(0).random(1797)
    labels = np.where(LABELS == 4, 5, LABELS)  # class 4 is empty
    figure = distribution(scores=scores, labels=labels, class_names=NAMES)
    _, histogram, classes = figure.axes
    assert classes.get_xlim() == histogram.get_xlim()
    names = [label.get_text() for label in classes.get_yticklabels()]
    assert names == [name for name in NAMES if name != "4"]
    assert classes.yaxis_inverted()
    medians = [line.get_xdata()[0] for line in classes.lines if line.get_linewidth() == 1.5]
    assert len(medians) == len(names)
    caps = [line.get_xdata()[0] for line in classes.lines if len(set(line.get_xdata())) == 1]
    for name, median, box in zip(names, medians, classes.patches, strict=True):
        members = scores[labels == int(name)]
        p5, p25, p50, p75, p95 = np.percentile(members, [5, 25, 50, 75, 95])
        assert median == pytest.approx(p50)
        assert set(box.get_path().vertices[:, 0]) == {p25, p75}
        # Whiskers end at the last samples within the percentiles.
        assert members[members >= p5].min() in caps and members[members <= p95].max() in caps


def test_too_many_classes_are_not_drawn() -> None:
    names = [str(i) for i in range(13)]
    assert len(distribution(labels=LABELS, class_names=names).axes) == 2


def test_only_eleven_images_are_read_from_a_memory_map(tmp_path: Path) -> None:
    class Counting(np.ndarray):
        reads = 0

        def __getitem__(self, key: Any) -> Any:
            Counting.reads += 1
            return np.asarray(self)[key]

    distribution(images=IMAGES.view(Counting))
    assert Counting.reads == 11


def test_constant_scores_and_a_single_image() -> None:
    for n in (1, 5):
        figure = distribution(scores=np.zeros(n), images=IMAGES[:n])
        figure.draw_without_rendering()
        assert sum(bar.get_height() for bar in bars(figure.axes[1])) == n


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": np.zeros(5)}, "one score an image"),
        ({"scores": np.full(1797, np.nan)}, "those of 1797 samples are not"),
        ({"images": IMAGES / 255}, "uint8"),
        ({"labels": LABELS}, "given together"),
        ({"class_names": NAMES}, "given together"),
        ({"labels": LABELS, "class_names": NAMES[:9]}, r"integers in \[0, 9\)"),
        ({"labels": LABELS[:5], "class_names": NAMES}, "labels must be 1797 integers"),
    ],
)
def test_wrong_input_of_a_distribution(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        distribution(**changes)


# --- agreement, score by score --------------------------------------------------------------------


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


# --- accuracy -------------------------------------------------------------------------------------


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
    assert labels == ["non-private", "ε = 1", "ε = 4", "one seed"]


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


# --- names and colours ----------------------------------------------------------------------------


def test_a_score_has_the_same_colour_in_every_company() -> None:
    alone = {name: score_colours([name])[name] for name in SCORE_COLOURS}
    assert score_colours([*SCORE_COLOURS, "mine", "yours"]) == {
        **alone,
        "mine": score_colours(["mine"])["mine"],
        "yours": score_colours(["mine", "yours"])["yours"],
    }
    used = [*score_colours([*SCORE_COLOURS, "mine", "yours"]).values(), COMMON_COLOUR]
    assert len(set(used)) == len(used)


# --- all figures ----------------------------------------------------------------------------------

LONG = "Comparison between different selection methods in normal and private training, ResNet-18 "
NOTE = "stand-in: digits for CIFAR-10, class 2 for airplane"
ALL: dict[str, Callable[[], Figure]] = {
    "pair": lambda: pair(title="Largest VoG, digits", note=NOTE, paper={"overlap": 21}),
    "pair of classes": lambda: pair(classes=True, title="Smallest PLIS", note=NOTE),
    "long pair": lambda: pair(
        titles=("WideResNet-101 (101-2), ε = 0.5, CINIC-10, with noise", "b"),
        classes_a=LABELS[:25],
        classes_b=LABELS[:25],
        class_names=[f"automobiles of kind {i}" for i in range(10)],
        title=2 * LONG,
        note=3 * NOTE,
        paper={"pearson_top_a": 0.09},
        pairing="other seed",
    ),
    "distribution": lambda: distribution(
        labels=LABELS, class_names=[f"automobiles of kind {i}" for i in range(10)], note=NOTE
    ),
    "heavy tail": lambda: distribution(
        scores=np.exp(np.random.default_rng(0).normal(size=1797)), title=LONG
    ),
    "extremes": lambda: extremes(title=LONG, note=3 * NOTE),
    "agreement": lambda: figures.plot_consistency(scored(), title=LONG, note=4 * NOTE),
    "table1": lambda: figures.plot_table1(accuracies(), title=2 * LONG, note=NOTE),
    "curves": lambda: figures.plot_learning_curves(curves(), title=LONG, note=NOTE),
    "skewed": lambda: distribution(
        scores=np.logspace(-9, 0, 1797), labels=LABELS, class_names=NAMES, title=LONG, note=NOTE
    ),
    "small agreement": lambda: figures.plot_consistency(
        scored(), candidates=50_000, pearson_top=1000, image_shape=(1, 8, 8), title=LONG
    ),
}


@pytest.mark.parametrize("name", ALL)
def test_no_text_is_cut_off_or_covers_another(name: str) -> None:
    figure = ALL[name]()
    figure.set_dpi(100)
    figure.draw_without_rendering()
    boxes = {}
    hidden = {
        id(label)
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
        if not axes.axison
        or not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and id(text) not in hidden:
            boxes[text] = text.get_window_extent()
            assert text.get_fontsize() >= 10, text
    page = figure.bbox
    for text, box in boxes.items():
        assert page.x0 <= box.x0 and box.x1 <= page.x1, text
        assert page.y0 <= box.y0 and box.y1 <= page.y1, text
    for (one, first), (other, second) in itertools.combinations(boxes.items(), 2):
        assert not first.padded(-1).overlaps(second.padded(-1)), (one, other)
    assert figure.get_figwidth() == 11
    assert figure.get_figheight() < 8.3


@pytest.mark.parametrize("name", ["pair", "distribution", "agreement", "curves", "table1"])
def test_two_saves_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    suffixes = ("png", "pdf", "svg")
    first = [tmp_path / "a" / f"first.{suffix}" for suffix in suffixes]
    second = [tmp_path / f"second.{suffix}" for suffix in suffixes]
    figures.save_figure(ALL[name](), *first)
    figure = ALL[name]()
    figures.save_figure(figure, second[2], second[0], str(second[1]))
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    for one, head in zip(first, (b"\x89PNG", b"%PDF", b"<?xml"), strict=True):
        assert one.read_bytes().startswith(head)
    assert b"Date" not in first[1].read_bytes() and b"<dc:date>" not in first[2].read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(p.name for p in first)
    assert first[0].stat().st_size < 500_000


def test_png_of_noisy_colour_images_stays_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    smooth = rng.integers(0, 256, (25, 3, 8, 8)).repeat(4, axis=2).repeat(4, axis=3)
    images = np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)
    figures.save_figure(pair(images_a=images, images_b=images[::-1]), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size < 500_000


def test_save_figure_refuses_what_it_cannot_write(tmp_path: Path) -> None:
    figure = figures.plot_table1(accuracies())
    with pytest.raises(ValueError, match="at least one path"):
        figures.save_figure(figure)
    with pytest.raises(ValueError, match=r"a.jpg: the suffix must be one of .png, .pdf, .svg"):
        figures.save_figure(figure, tmp_path / "a.png", tmp_path / "a.jpg")
    assert not list(tmp_path.iterdir())


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("old")

    class Broken(Figure):
        def savefig(self, *args: Any, **kwargs: Any) -> None:
            Path(args[0]).write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        figures.save_figure(Broken(), path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert path.read_text() == "old"


def test_settings_of_the_user_neither_matter_nor_change(tmp_path: Path) -> None:
    figures.save_figure(distribution(), tmp_path / "a.png")
    with matplotlib.rc_context({"font.size": 30, "savefig.dpi": 20, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        figures.save_figure(distribution(), tmp_path / "b.png")
        assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("name", ["pair", "distribution", "agreement", "table1", "curves"])
def test_title_and_note_are_shown(name: str) -> None:
    plots: dict[str, Callable[..., Figure]] = {
        "pair": pair,
        "distribution": distribution,
        "agreement": lambda **k: figures.plot_consistency(scored(), **k),
        "table1": lambda **k: figures.plot_table1(accuracies(), **k),
        "curves": lambda **k: figures.plot_learning_curves(curves(), **k),
    }
    shown = texts(plots[name](title="A title", note=NOTE))
    assert "A title" in shown and NOTE in shown
    assert not any("stand-in" in text for text in texts(plots[name]()))


def test_import_loads_nothing_heavy() -> None:
    heavy = ("torch", "seaborn", "scipy", "skimage", "jinja2", "matplotlib.pyplot", "snakemake")
    code = f"import sys, gradval.report.figures; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(FIGURES.parents[2])},
    )
    assert run.stdout.strip() == "[]"


def test_seaborn_comes_without_scipy_and_leaves_it_usable() -> None:
    code = (
        "import sys\n"
        "from gradval.report.figures.style import load_seaborn\n"
        "seaborn = load_seaborn()\n"
        "print([name for name in sys.modules if name.startswith('scipy')])\n"
        "import scipy, scipy.stats\n"
        "print(round(scipy.stats.norm.ppf(0.975), 2), load_seaborn() is seaborn)\n"
        "print(sys.modules['scipy'] is scipy)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(FIGURES.parents[2])},
    )
    assert run.stdout.splitlines() == ["[]", "1.96 True", "True"]
