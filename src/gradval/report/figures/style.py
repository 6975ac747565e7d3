"""The common look of all figures, and how they are written."""

import sys
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from gradval.runtime.files import atomic_path

WIDTH, MARGIN = 11.0, 0.15  # of every figure, in inches
NOTE_STYLE: dict[str, Any] = {
    "fontsize": 10,
    "style": "italic",
    "bbox": {"facecolor": "#FFF3CD", "edgecolor": "#B8860B", "linewidth": 0.8, "pad": 3},
}
NOTE_WIDTH, TITLE_WIDTH = 125, 84  # characters that fit on a line
TITLE_LINE = 0.24  # height of a line of a title in inches

_SETTINGS: Any = {  # stubs type rcParams key by key, and this has many kinds of values
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same text on every machine
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "figure.titlesize": 14,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#E5E5E5",
    "savefig.dpi": 150,
    "pdf.fonttype": 42,
    "svg.hashsalt": "gradval",  # element names without chance in them
}
# A key set to None is left out; otherwise each would tell when, or with what, a file was written.
_METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
}


def load_seaborn() -> ModuleType:
    """Import seaborn without SciPy, which it uses for kernel densities and clusters alone.

    They take 1.6 of its 2.4 s of import, and no figure of ours shows any. Seaborn provides for
    machines without SciPy; to look like one, SciPy is hidden from it.
    """
    hidden = sys.modules.get("scipy")
    sys.modules["scipy"] = None  # type: ignore[assignment]  # importing it raises ImportError
    try:
        import seaborn
    finally:
        del sys.modules["scipy"]
        if hidden is not None:
            sys.modules["scipy"] = hidden
    module: ModuleType = seaborn
    return module


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib's defaults with our settings on top, whatever a user's matplotlibrc says.

    A context manager that restores everything at its end, and a decorator (``@style()``).
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


def save_figure(figure: Figure, *paths: str | Path) -> None:
    """Write a figure to each of the paths, in the format that its suffix names, atomically.

    The same figure gives the same bytes at any time. Its layout is fixed at the first save.

    Args:
        figure: what one of the ``plot_*`` functions returned.
        paths: files ending in .png (150 dots an inch), .pdf or .svg; folders are made.

    Raises:
        ValueError: no path, or a suffix that is none of these; nothing is written then.
    """
    if not paths:
        raise ValueError("there must be at least one path to save the figure to")
    formats = {Path(path): Path(path).suffix.lower().removeprefix(".") for path in paths}
    for path, name in formats.items():
        if name not in _METADATA:
            raise ValueError(f"{path}: the suffix must be one of .{', .'.join(_METADATA)}")
    if figure.get_layout_engine() is not None:
        # Otherwise each file would be laid out anew, starting from the layout of the last.
        with style():
            figure.draw_without_rendering()
        figure.set_layout_engine("none")
    for path, name in formats.items():
        with atomic_path(path) as temporary, style():
            figure.savefig(temporary, format=name, metadata=_METADATA[name])


def new_figure(height: float, title: str, note: str, legend_height: float = 0) -> Figure:
    """Make a figure that lays itself out, with a title at its top and a note at its foot.

    Args:
        height: in inches, without the title, the legend and the note.
        title, note: empty for none.
        legend_height: inches to leave free above the note.
    """
    foot = note_height(note) + legend_height
    height += title_height(title)
    whole = height + foot
    layout = ConstrainedLayoutEngine(
        rect=(0, foot / whole, 1, height / whole), w_pad=0.08, h_pad=0.08
    )
    figure = Figure(figsize=(WIDTH, whole), layout=layout)
    if title:
        figure.suptitle(textwrap.fill(title, TITLE_WIDTH))
    draw_note(figure, note)
    return figure


def title_height(title: str) -> float:
    """The height in inches that a title takes at the top of a figure, with its margins."""
    lines = textwrap.wrap(title, TITLE_WIDTH)
    return MARGIN + TITLE_LINE * len(lines) + 0.1 if lines else MARGIN


def draw_title(figure: Figure, title: str) -> None:
    """Write a title at the top of a figure that does not lay itself out."""
    if title:
        top = 1 - MARGIN / figure.get_figheight()
        figure.suptitle(textwrap.fill(title, TITLE_WIDTH), y=top, va="top")


def note_height(note: str) -> float:
    """The height in inches that a note takes at the foot of a figure."""
    lines = textwrap.wrap(note, NOTE_WIDTH)
    return MARGIN + 0.16 * len(lines) + 0.12 if lines else 0.0


def draw_note(figure: Figure, note: str) -> None:
    """Write a note into the lower left corner of a figure."""
    if note:
        _, height = figure.get_size_inches()
        text = textwrap.fill(note, NOTE_WIDTH)
        figure.text(MARGIN / WIDTH, MARGIN / height, text, va="bottom", **NOTE_STYLE)


def show_image(
    axes: Axes, image: NDArray[np.uint8], left: float, top: float, size: float
) -> tuple[float, float, float, float]:
    """Show an image (C, H, W) within a square of the axes, whose y axis must point downwards.

    The pixels of small images stay sharp squares; the aspect ratio is kept.

    Args:
        axes: where to draw, in units that are equally long in x and y.
        image: uint8 with one channel (grey) or three (red, green, blue).
        left, top, size: the square, in units of the axes.

    Returns:
        Left, top, width and height of the image itself.
    """
    height, width = image.shape[1:]
    scale = size / max(height, width)
    x, y = left + (size - width * scale) / 2, top + (size - height * scale) / 2
    axes.imshow(
        image[0] if len(image) == 1 else image.transpose(1, 2, 0),
        cmap="gray",
        vmin=0,
        vmax=255,
        interpolation="nearest" if max(height, width) <= 64 else "antialiased",
        extent=(x, x + width * scale, y + height * scale, y),
        aspect="auto",
    )
    return x, y, width * scale, height * scale


def check_images(images: NDArray[np.uint8], name: str) -> None:
    """Raise ValueError unless images are uint8 (N, C, H, W), N at least 1, with 1 or 3 channels."""
    shape = images.shape
    if images.dtype != np.uint8 or len(shape) != 4 or shape[1] not in (1, 3) or 0 in shape:
        raise ValueError(
            f"{name} must be uint8 (N, C, H, W) with 1 or 3 channels, got {images.dtype} {shape}"
        )


def check_columns(frame: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    """Raise ValueError unless a table has rows and all of the columns."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"{name} must have the column {missing[0]!r}; it has {list(frame)}")
    if frame.empty:
        raise ValueError(f"{name} must have at least one row")
