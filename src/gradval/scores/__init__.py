"""Scores of training samples, one number each, higher = more.

All are taken on un-augmented images with the model in evaluation mode, sample by sample. Scoring
changes neither weights, gradients, flags nor random state. See `gradval.scores.registry` to add a
score. The names below are loaded when first used: what a score declares is read without PyTorch.
"""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "Score": "gradval.scores.registry",
    "ScoreOptions": "gradval.scores.registry",
    "SCORES": "gradval.scores.registry",
    "ScoringContext": "gradval.scores.context",
    "gradient_norm_scores": "gradval.scores.gradient_norm",
    "loss_scores": "gradval.scores.loss",
    "normalise_per_class": "gradval.scores.class_normalisation",
    "plis_scores": "gradval.scores.plis",
    "score_samples": "gradval.scores.compute",
    "vog_scores": "gradval.scores.vog",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
