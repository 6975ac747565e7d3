"""Plain looks of the images of a store: what the image statistics among the scores say of them."""

import numpy as np
from numpy.typing import NDArray

from gradval.scores.brightness import brightness_of
from gradval.scores.contrast import contrast_of
from gradval.scores.edge_density import edge_density_of

# Images in memory at a time.
CHUNK = 1024
LOOKS = {"brightness": brightness_of, "contrast": contrast_of, "edge_density": edge_density_of}


def looks_of(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Brightness, contrast and edge density of every image.

    Args:
        images: `(N, C, H, W)`, possibly memory-mapped.

    Returns:
        Name -> `(N,)`.
    """
    parts: dict[str, list[NDArray[np.float64]]] = {name: [] for name in LOOKS}
    for start in range(0, len(images), CHUNK):
        pixels = np.asarray(images[start : start + CHUNK], dtype=np.float64) / 255
        for name, function in LOOKS.items():
            parts[name].append(function(pixels))
    return {name: np.concatenate(found) for name, found in parts.items()}
