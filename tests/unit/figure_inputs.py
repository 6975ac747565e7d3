"""Known inputs of figures, and what figures show of them."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from sklearn.datasets import load_digits

from gradval.report import figures
from gradval.report.figures.colours import COMMON_COLOUR

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
                "draw": 0,
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
                "draw": 0,
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
