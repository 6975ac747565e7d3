"""Names of privacy levels, scores, removals and runs: parsed, ordered and put in words, here alone.

Snakemake asks for them at every start, so only the standard library is imported.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

# --- Privacy levels -----------------------------------------------------------------------------

NON_PRIVATE = "nonprivate"
PRIVACY_PATTERN = r"nonprivate|eps\d+(?:\.\d+)?"


def epsilon_of(privacy: str) -> float | None:
    """Target epsilon of a privacy level; `None` for `nonprivate`.

    Raises:
        ValueError: it is neither `nonprivate` nor `eps<number above 0>`.
    """
    if privacy == NON_PRIVATE:
        return None
    if re.fullmatch(PRIVACY_PATTERN, privacy) and float(privacy[3:]) > 0:
        return float(privacy[3:])
    raise ValueError(
        f"{privacy!r} is not allowed; use nonprivate, or eps<number above 0> such as eps4 or eps0.5"
    )


def is_private(privacy: str) -> bool:
    """Whether a privacy level has an epsilon; ValueError as in `epsilon_of`."""
    return epsilon_of(privacy) is not None


def privacy_order(levels: Iterable[str]) -> list[str]:
    """Distinct privacy levels: non-private first, then by epsilon; ValueError as `epsilon_of`."""
    return sorted(set(levels), key=lambda level: epsilon_of(level) or 0.0)


def privacy_label(privacy: str) -> str:
    """A privacy level in words: "ε = 4" for `eps4`; ValueError as in `epsilon_of`."""
    epsilon = epsilon_of(privacy)
    return "non-private" if epsilon is None else f"ε = {epsilon:g}"


def privacy_from_print(text: str) -> str:
    """The privacy level that the paper prints as `non-private` or `eps=4`; ValueError otherwise."""
    privacy = text.replace("non-private", NON_PRIVATE).replace("eps=", "eps")
    epsilon_of(privacy)
    return privacy


def recipe_blocks(privacy: str) -> tuple[str, str, str]:
    """The blocks of `training` that a level reads, from general to special."""
    return ("default", "private" if is_private(privacy) else NON_PRIVATE, privacy)


# --- Scores and removals ------------------------------------------------------------------------

# The scores of the paper, in its order, and the controls of its Table 1.
SCORES = ("loss", "grad_norm", "vog", "plis")
CONTROLS = ("random", "none")
# Those that know the image alone: the null model.
IMAGE_SCORES = ("brightness", "contrast", "edge_density")
# Those that training can collect on its way.
FREE_SCORES = ("loss", "grad_norm", "vog")
RELEASED = "_released"
SCORE_LABELS: Mapping[str, str] = {
    "loss": "Loss",
    "grad_norm": "Gradient norm",
    "vog": "VoG",
    "plis": "PLIS",
    "vog_window": "VoG (window)",
    "el2n": "EL2N",
    "grand": "GraNd",
    "forgetting": "Forgetting",
    "tracin": "TracIn",
    "brightness": "Brightness",
    "contrast": "Contrast",
    "edge_density": "Edge density",
    "random": "Random",
    "none": "No removal",
}


def score_of(removal: str) -> tuple[str, bool]:
    """The score (or control) of a removal, and whether it is the score as released under DP."""
    return removal.removesuffix(RELEASED), removal.endswith(RELEASED)


def removals(scores: Iterable[str], selection: Iterable[str]) -> tuple[str, ...]:
    """What is removed: by each `raw` and each `released` score (`vog_released`), the controls.

    Args:
        scores: names of scores.
        selection: `raw`, `released` or both.
    """
    suffixes = [{"raw": "", "released": RELEASED}[kind] for kind in selection]
    names = tuple(scores)
    return (*(name + suffix for suffix in suffixes for name in names), *CONTROLS)


def score_order(names: Iterable[str]) -> list[str]:
    """Distinct scores or removals: the paper's, others by name, those of images, the controls.

    Raw ones come before released ones.
    """
    return sorted(set(names), key=_score_key)


def score_label(name: str) -> str:
    """A score, control or removal in words; a name without a label of its own stays as it is."""
    score, released = score_of(name)
    return SCORE_LABELS.get(score, score) + (", released" if released else "")


def _score_key(name: str) -> tuple[int, bool, int, str]:
    score, released = score_of(name)
    for position, group in ((0, SCORES), (2, IMAGE_SCORES), (3, CONTROLS)):
        if score in group:
            return position, released, group.index(score), ""
    return 1, released, 0, score


# --- Data sets and models -----------------------------------------------------------------------

# A data set, model, class, comparison or figure.
NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
DATASET_LABELS: Mapping[str, str] = {
    "cifar10": "CIFAR-10",
    "cinic10": "CINIC-10",
    "pppd": "PPPD",
    "digits": "digits",
}
MODEL_LABELS: Mapping[str, str] = {
    "resnet9": "ResNet-9",
    "resnet18": "ResNet-18",
    "resnet101": "ResNet-101",
    "resnext101": "ResNeXt-101",
    "wideresnet50": "WideResNet-50",
    "wideresnet101": "WideResNet-101",
}


def dataset_label(name: str) -> str:
    """A data set in words; a name without a label of its own stays as it is."""
    return DATASET_LABELS.get(name, name)


def model_label(name: str) -> str:
    """A model in words; a name without a label of its own stays as it is."""
    return MODEL_LABELS.get(name, name)


# --- Runs and their files -----------------------------------------------------------------------

# The canonical store of a data set.
STORE_FILES = (
    "train_images.npy",
    "train_labels.npy",
    "test_images.npy",
    "test_labels.npy",
    "samples.parquet",
    "dataset.json",
)


@dataclass(frozen=True, order=True)
class Setting:
    """One trained setting, over all seeds and draws."""

    dataset: str
    model: str
    privacy: str


def run_key(path: str | Path) -> dict[str, str | int]:
    """Data set, model, privacy level, seed and draw of a run from the path of one of its files.

    Args:
        path: `results/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/...`.
    """
    _, dataset, model, privacy, seed, draw, *_ = Path(path).parts
    return {
        "dataset": dataset,
        "model": model,
        "privacy": privacy,
        "seed": int(seed.removeprefix("seed")),
        "draw": int(draw.removeprefix("draw")),
    }


def stream_name(dataset: str, model: str, privacy: str, seed: str | int, part: str) -> str:
    """The name by which a run's random streams differ from those of all others.

    The draw is not in it: it is an argument of its own wherever streams are derived
    (`gradval.training.streams.seeded_key`).

    Args:
        dataset, model, privacy, seed: of the run.
        part: phase, removal or `audit`.
    """
    return f"{dataset}/{model}/{privacy}/{seed}/{part}"
