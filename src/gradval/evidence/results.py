"""The results of a study as plain frames, and what was run for a claim."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

import pandas as pd

from gradval.study.experiments import Comparison, substitutes_text

STATISTICS_KEY = (*("comparison", "pairing", "seed_a", "draw_a", "seed_b", "draw_b", "statistic"),)
FULL_KEY = ("dataset", "model", "privacy", "seed", "draw")
RUNS_KEY = (*FULL_KEY, "removal", "fraction")
LEVELS_KEY = (
    *("dataset", "model", "score", "statistic", "k"),
    *("privacy_a", "privacy_b", "quantity", "seed"),
)
# Of a selected image, each as its rank among the images of its class, in [0, 1].
IMAGE_STATISTICS = ("contrast", "detail", "distance")
# What identifies a row, and what else each frame must hold.
KEYS: Mapping[str, tuple[str, ...]] = {
    "statistics": STATISTICS_KEY,
    "selections": (),
    "runs": RUNS_KEY,
    "full": FULL_KEY,
    "levels": LEVELS_KEY,
}
ACCURACIES = ("train_accuracy", "test_accuracy")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "statistics": (*STATISTICS_KEY, "value", "chance"),
    "selections": ("comparison", "seed", "draw", "side", "label"),
    "runs": (*RUNS_KEY, *ACCURACIES),
    "full": (*FULL_KEY, *ACCURACIES),
    "levels": (*LEVELS_KEY, "value", "chance"),
}
# The share that Table 1 of the paper removes.
PAPER_FRACTION = 0.25
# Columns that may be missing, and what they are then.
DEFAULTS: Mapping[str, Mapping[str, float]] = {
    "statistics": {
        **{"draw_a": 0, "draw_b": 0},
        **dict.fromkeys(("chance_p", "exact_low", "exact_high"), math.nan),
    },
    "selections": {"draw": 0} | dict.fromkeys(IMAGE_STATISTICS, math.nan),
    "runs": {
        **{"draw": 0, "fraction": PAPER_FRACTION},
        **dict.fromkeys(("training_gradients", "scoring_gradients"), math.nan),
    },
    "full": {
        "draw": 0,
        **dict.fromkeys(("training_gradients", "scoring_gradients"), math.nan),
    },
    "levels": {},
}


@dataclass(frozen=True)
class Evidence:
    """The results of a study, any of which may be empty.

    A *seed* is the initial weights, a *draw* the sampling and noise; a missing draw is 0.

    Attributes:
        statistics: of comparisons, one row a pair of runs and statistic (`STATISTICS_KEY`), with
            value and chance, and for overlaps chance_p, exact_low and exact_high: the exact test
            (`gradval.selection.overlaps`). Pairings are those of `gradval.selection.agreement`.
        selections: of comparisons, one row a selected sample; columns comparison, seed, draw, side
            (a or b), label, and optionally `IMAGE_STATISTICS`.
        runs: pruned runs (`RUNS_KEY`; fraction is the share removed), with train_accuracy (on the
            kept samples) and test_accuracy in [0, 1], and optionally training_gradients of both
            phases and scoring_gradients of the first.
        full: runs on all data (`FULL_KEY`), with the same.
        levels: agreement across privacy levels, one value a seed
            (`gradval.evidence.levels.levels_by_seed`).

    Gradients count the samples of which a forward and backward is taken.

    Raises:
        ValueError: as in `checked`.
    """

    statistics: pd.DataFrame = field(default_factory=pd.DataFrame)
    selections: pd.DataFrame = field(default_factory=pd.DataFrame)
    runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    full: pd.DataFrame = field(default_factory=pd.DataFrame)
    levels: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __post_init__(self) -> None:
        for part in fields(self):
            object.__setattr__(self, part.name, checked(getattr(self, part.name), part.name))

    @cached_property
    def by_statistic(self) -> Mapping[tuple[str, str], pd.DataFrame]:
        """(comparison, statistic) -> its rows of `statistics`."""
        groups = self.statistics.groupby(["comparison", "statistic"], sort=False)
        return {(str(name), str(statistic)): rows for (name, statistic), rows in groups}


def checked(frame: pd.DataFrame, part: str) -> pd.DataFrame:
    """Check one part of the evidence, and add the columns that may be missing.

    Args:
        frame: as described by `Evidence`.
        part: the name of an attribute of it.

    Raises:
        ValueError: a column is missing, a row occurs twice, or an accuracy is not in [0, 1].
    """
    if frame.empty:
        return pd.DataFrame(columns=list(dict.fromkeys((*COLUMNS[part], *DEFAULTS[part]))))
    frame = frame.assign(**{k: v for k, v in DEFAULTS[part].items() if k not in frame})
    require_columns(frame, COLUMNS[part], part)
    key = list(KEYS[part])
    if key and frame.duplicated(key).any():
        row = frame.loc[frame.duplicated(key), key].iloc[0]
        raise ValueError(f"{part}: this row occurs twice: {', '.join(map(str, row))}")
    for column in set(ACCURACIES) & set(COLUMNS[part]):
        if not frame[column].dropna().between(0, 1).all():
            worst = frame[column].abs().max()
            raise ValueError(f"{part}: {column} must lie in [0, 1], got {worst:g}")
    return frame


def require_columns(frame: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Raise ValueError if a column is missing; the message names it."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"{what}: missing column(s) {', '.join(missing)}")


@dataclass(frozen=True, slots=True)
class RunSetting:
    """What this study ran for a claim.

    Attributes:
        dataset, model_a, model_b: names of what was run; several are separated by ``|``, empty
            means every one there is.
        privacy_a, privacy_b: the privacy levels of the two sides.
        substitutes: what took the place of the paper's own, as "digits for cifar10; resnet9 for
            wideresnet50"; empty if nothing did.
    """

    dataset: str = ""
    model_a: str = ""
    model_b: str = ""
    privacy_a: str = ""
    privacy_b: str = ""
    substitutes: str = ""

    @classmethod
    def of(cls, comparison: Comparison) -> "RunSetting":
        """What was run for a comparison."""
        return cls(
            dataset=comparison.dataset,
            model_a=comparison.a.model,
            model_b=comparison.b.model,
            privacy_a=comparison.a.privacy,
            privacy_b=comparison.b.privacy,
            substitutes=substitutes_text(comparison.substitutes),
        )

    def among(self, runs: pd.DataFrame) -> pd.DataFrame:
        """The rows of `runs` that belong to these data sets and models."""
        keep = pd.Series(True, index=runs.index)
        if self.dataset:
            keep &= runs["dataset"].isin(self.dataset.split("|"))
        if self.model_a or self.model_b:
            keep &= runs["model"].isin([*self.model_a.split("|"), *self.model_b.split("|")])
        return runs[keep]
