"""The images with the largest and with the smallest scores of one run, side by side."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gradval.report.figures.sheet import (
    CAPTIONED_HEIGHT,
    SHEET_WIDTH,
    SIDE_TITLE,
    Sheet,
    draw_sheet,
    place,
    wrap_title,
)
from gradval.report.figures.style import (
    MARGIN,
    WIDTH,
    check_images,
    draw_note,
    draw_title,
    note_height,
    style,
    title_height,
)

GAP = 0.9  # between the sheets, in inches


@style()
def plot_extremes(
    largest: NDArray[np.uint8],
    smallest: NDArray[np.uint8],
    *,
    names_largest: list[str],
    names_smallest: list[str],
    titles: tuple[str, str] = ("largest scores", "smallest scores"),
    title: str = "",
    note: str = "",
) -> Figure:
    """Show the samples at both ends of a score as two contact sheets with their classes.

    Args:
        largest, smallest: uint8 (k, C, H, W), C = 1 or 3, the most extreme first.
        names_largest, names_smallest: class of each image.
        titles: heading of either sheet.
        title, note: heading of the figure, and what a reader must know.

    Returns:
        A figure 11 inches wide and about 5 high.

    Raises:
        ValueError: images are not as above, or there is not one name an image.
    """
    sheets = []
    for what, images, names, heading in (
        ("largest", largest, names_largest, titles[0]),
        ("smallest", smallest, names_smallest, titles[1]),
    ):
        check_images(images, what)
        if len(names) != len(images):
            raise ValueError(f"{what}: {len(images)} images, but {len(names)} class names")
        nothing = np.zeros(len(images), dtype=bool)
        sheets.append(Sheet(images, nothing, wrap_title(heading), list(names)))
    top = title_height(title) + SIDE_TITLE * (1 + max(s.title.count("\n") for s in sheets))
    figure = Figure(figsize=(WIDTH, top + CAPTIONED_HEIGHT + (note_height(note) or MARGIN)))
    draw_title(figure, title)
    lefts = ((WIDTH - GAP) / 2 - SHEET_WIDTH, (WIDTH + GAP) / 2)
    for sheet, left in zip(sheets, lefts, strict=True):
        draw_sheet(place(figure, left, top, SHEET_WIDTH, CAPTIONED_HEIGHT), sheet)
    draw_note(figure, note)
    return figure
