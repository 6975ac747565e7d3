"""Gradient-based data valuation under differential privacy.

The public functions below work on any `torch.nn.Module` whose samples do not interact in evaluation
mode. They are loaded when first used, so that importing one part of the package does not cost the
import of another.
"""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "loss_scores": "gradval.scores",
    "gradient_norm_scores": "gradval.scores",
    "vog_scores": "gradval.scores",
    "plis_scores": "gradval.scores",
    "score_samples": "gradval.scores",
    "normalise_per_class": "gradval.scores",
    "score_dataset": "gradval.scores.dataset",
    "find_checkpoints": "gradval.models.checkpoint_files",
    "read_results": "gradval.scores.results",
    "write_sheet": "gradval.report.score_sheet",
    "compare_scores": "gradval.report.score_comparison",
    "publish": "gradval.federation.publish",
    "publish_statistics": "gradval.federation.publish",
    "Site": "gradval.federation.publish",
    "select": "gradval.selection",
    "overlap": "gradval.selection",
    "ssim_between": "gradval.selection",
    "bhattacharyya_distance": "gradval.selection",
    "pearson_top": "gradval.selection",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
