"""Selections of samples by score, and how alike two of them are.

The paper calls a score consistent if two settings (two models, two privacy levels, two scores)
select the same or similar images, and measures that with the structural similarity index (SSIM)
and the Bhattacharyya distance of the selected images, with their overlap and with the correlation
of the scores (sections 4 and 4.1 to 4.5). None of these numbers means much alone: images of one
class are alike in any case. So each can be had beside its chance level.

- ``selection``: the k samples with the largest or smallest score, and their classes;
- ``similarity``: SSIM and Bhattacharyya distance between two sets of images;
- ``correlation``: Pearson and Spearman correlation of scores, of all, of the top, of the extremes;
- ``comparison``: all of them for one pair of scores, and their chance levels;
- ``free_scores``: scores collected while training against those at checkpoints (import it itself:
  it needs pandas, and this package is light).

Inputs are NumPy arrays or PyTorch tensors in CPU memory. Importing this package loads neither
PyTorch nor the large parts of SciPy and scikit-image.
"""

from gradval.selection.compare import (
    CORRELATION_STATISTICS,
    SELECTION_STATISTICS,
    STATISTICS,
    Level,
    compare,
    correlation_chance,
    selection_chance,
)
from gradval.selection.correlation import pearson, pearson_extremes, pearson_top, spearman
from gradval.selection.select import class_counts, dominant_class, overlap, select
from gradval.selection.similarity import bhattacharyya_distance, ssim_between, ssim_matrix

__all__ = [
    "CORRELATION_STATISTICS",
    "SELECTION_STATISTICS",
    "STATISTICS",
    "Level",
    "bhattacharyya_distance",
    "class_counts",
    "compare",
    "correlation_chance",
    "dominant_class",
    "overlap",
    "pearson",
    "pearson_extremes",
    "pearson_top",
    "select",
    "selection_chance",
    "spearman",
    "ssim_between",
    "ssim_matrix",
]
