"""A contact sheet: selected images in the order of their ranks."""

import math
import textwrap
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath
from numpy.typing import NDArray

from gradval.report.figures.colours import COMMON_COLOUR
from gradval.report.figures.style import show_image
from gradval.report.labels import shorten

# In inches.
SIDE_TITLE = 0.24  # a line of the title of a sheet
SHEET_WIDTH = 4.15
TITLE_WIDTH = 44  # letters of a title that fit above a sheet
SHEET_HEIGHT, CAPTIONED_HEIGHT = 3.8, 4.2
CAPTION = 0.2  # height of a class name below its image
FRAME = 0.035
LETTERS = 12.1  # letters of a class name an inch
CAPTION_SIZE = 10  # in points, of class names; those of wide letters are smaller


@dataclass(frozen=True)
class Sheet:
    """Images to show together.

    Attributes:
        images: uint8 `(k, C, H, W)` in the order of their ranks.
        common: bool `(k,)`, which of them get a frame.
        title: heading, possibly of several lines.
        names: class of each image, or `None` for no captions.
        counts: `(classes,)` images of each class, or `None` if they are not counted.
    """

    images: NDArray[np.uint8]
    common: NDArray[np.bool_]
    title: str
    names: list[str] | None = None
    counts: NDArray[np.int64] | None = None


def wrap_title(title: str) -> str:
    """The title of a sheet, broken into lines that fit above it; its own line breaks stay."""
    return "\n".join(textwrap.fill(line, TITLE_WIDTH) for line in title.split("\n"))


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add empty axes at a place given in inches from the top left, whose units are inches."""
    w, h = figure.get_size_inches()
    axes = figure.add_axes((left / w, 1 - (top + height) / h, width / w, height / h))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return axes


def caption_size(names: list[str], width: float) -> float:
    """Size in points at which every name fits below an image, that many inches wide."""
    texts = [TextPath((0, 0), name, size=CAPTION_SIZE) for name in set(names) if name.strip()]
    widest = max((text.get_extents().width / 72 for text in texts), default=0.0)
    return min(CAPTION_SIZE, CAPTION_SIZE * 0.94 * width / widest) if widest else CAPTION_SIZE


def draw_sheet(axes: Axes, sheet: Sheet) -> None:
    """Fill axes in inches with the images of a sheet and their frames."""
    columns = math.ceil(math.sqrt(len(sheet.images)))
    rows = math.ceil(len(sheet.images) / columns)
    height = axes.get_ylim()[0]
    pitch_x, pitch_y = SHEET_WIDTH / columns, height / rows
    caption = CAPTION if sheet.names else 0
    size = min(pitch_x, pitch_y - caption) - 3.5 * FRAME
    if not sheet.names:  # no captions: tiles as close as their frames allow
        pitch_x = pitch_y = size + 3.5 * FRAME
    names = [shorten(name, int(LETTERS * pitch_x)) for name in sheet.names or ()]
    fontsize = caption_size(names, pitch_x)
    indent = (SHEET_WIDTH - pitch_x * columns) / 2
    for rank, image in enumerate(sheet.images):
        row, column = divmod(rank, columns)
        left = indent + column * pitch_x + (pitch_x - size) / 2
        top = row * pitch_y + 1.75 * FRAME
        x, y, wide, tall = show_image(axes, image, left, top, size)
        if sheet.common[rank]:
            # Below the image, which hides all but its border: no gaps however pixels are rounded.
            axes.add_patch(
                Rectangle(
                    (x - FRAME, y - FRAME),
                    wide + 2 * FRAME,
                    tall + 2 * FRAME,
                    color=COMMON_COLOUR,
                    linewidth=0,
                    zorder=-1,
                )
            )
        if names:
            centre, below = left + size / 2, top + size + 1.5 * FRAME
            axes.text(centre, below, names[rank], ha="center", va="top", fontsize=fontsize)
    axes.set(xlim=(0, SHEET_WIDTH), ylim=(height, 0))
    axes.set_title(sheet.title, fontsize=12)
