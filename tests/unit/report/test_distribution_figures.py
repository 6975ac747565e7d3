"""The distribution of a score, and the samples at both ends."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from figure_inputs import IMAGES, LABELS, NAMES, bars, distribution, extremes, pixels, texts
from matplotlib.colors import same_color

from gradval.report.figures import plot_extremes
from gradval.report.figures.colours import SCORE_COLOURS


def test_extremes_show_every_image_in_order_above_its_class() -> None:
    figure = extremes()
    for axes, first in zip(figure.axes, (0, 30), strict=True):
        assert len(axes.images) == 25
        for image, expected in zip(axes.images, IMAGES[first : first + 25], strict=True):
            np.testing.assert_array_equal(pixels(image), expected[0])
        captions = [text.get_text() for text in axes.texts]
        assert captions == [NAMES[i] for i in LABELS[first : first + 25]]


def test_captions_of_wide_letters_stay_apart() -> None:
    images = np.zeros((25, 1, 8, 8), dtype=np.uint8)
    names = ["PNEUMONIA"] * 25
    figure = plot_extremes(images, images, names_largest=names, names_smallest=names)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts[:5]]
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))


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
