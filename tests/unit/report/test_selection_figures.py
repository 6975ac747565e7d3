"""Two selections side by side: tiles, frames, and the table below them."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_inputs import (
    IMAGES,
    KNOWN,
    LABELS,
    NAMES,
    bars,
    footnotes_of,
    framed,
    pair,
    pixels,
    rows,
    table_of,
    texts,
)
from matplotlib.colors import same_color

from gradval.report.figures.colours import GREY


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
