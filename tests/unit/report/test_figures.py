"""All figures: colours, nothing cut off, the same bytes, one style, light imports."""

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from figure_inputs import (
    FIGURES,
    LABELS,
    NAMES,
    accuracies,
    curves,
    distribution,
    extremes,
    pair,
    scored,
    texts,
)
from matplotlib.figure import Figure
from matplotlib.text import Text

from gradval.report import figures
from gradval.report.figures.colours import COMMON_COLOUR, SCORE_COLOURS, score_colours


def test_a_score_has_the_same_colour_in_every_company() -> None:
    alone = {name: score_colours([name])[name] for name in SCORE_COLOURS}
    assert score_colours([*SCORE_COLOURS, "mine", "yours"]) == {
        **alone,
        "mine": score_colours(["mine"])["mine"],
        "yours": score_colours(["mine", "yours"])["yours"],
    }
    used = [*score_colours([*SCORE_COLOURS, "mine", "yours"]).values(), COMMON_COLOUR]
    assert len(set(used)) == len(used)


LONG = "Comparison between different selection methods in normal and private training, ResNet-18 "
NOTE = "substitute: digits for CIFAR-10, class 2 for airplane"
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
    assert not any("substitute" in text for text in texts(plots[name]()))


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
