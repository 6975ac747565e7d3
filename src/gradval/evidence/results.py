"""The results of a study as plain frames, and what was run for a claim."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import pandas as pd

from gradval.study.experiments import Comparison, substitutes_text

STATISTICS_KEY = ("comparison", "pairing", "seed_a", "seed_b", "statistic")
FULL_KEY = ("dataset", "model", "privacy", "seed")
RUNS_KEY = (*FULL_KEY, "removal")
# What identifies a row, and what else each frame must hold.
KEYS: Mapping[str, tuple[str, ...]] = {
    "statistics": STATISTICS_KEY,
    "selections": (),
    "runs": RUNS_KEY,
    "full": FULL_KEY,
}
ACCURACIES = ("train_accuracy", "test_accuracy")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "statistics": (*STATISTICS_KEY, "value", "chance"),
    "selections": ("comparison", "seed", "side", "label"),
    "runs": (*RUNS_KEY, *ACCURACIES, "training_seconds"),
    "full": (*FULL_KEY, *ACCURACIES, "training_seconds", "scoring_seconds"),
}


@dataclass(frozen=True)
class Evidence:
    """The results of a study, any of which may be empty.

    Attributes:
        statistics: of comparisons, one row a pairing, pair of seeds and statistic; columns
            comparison, pairing, seed_a, seed_b, statistic, value, chance. Pairings are
            ``same seed``, ``other seed``, ``ceiling a`` and ``ceiling b``.
        selections: of comparisons, one row a selected sample; columns comparison, seed, side
            (a or b), label.
        runs: pruned runs; columns dataset, model, privacy, seed, removal, train_accuracy (on the
            kept samples) and test_accuracy in [0, 1], training_seconds of both phases together.
        full: runs on all data; columns dataset, model, privacy, seed, train_accuracy,
            test_accuracy, training_seconds, scoring_seconds.

    Raises:
        ValueError: as in `checked`.
    """

    statistics: pd.DataFrame = field(default_factory=pd.DataFrame)
    selections: pd.DataFrame = field(default_factory=pd.DataFrame)
    runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    full: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __post_init__(self) -> None:
        for part in fields(self):
            object.__setattr__(self, part.name, checked(getattr(self, part.name), part.name))


def checked(frame: pd.DataFrame, part: str) -> pd.DataFrame:
    """Check one part of the evidence; an empty frame gets the columns it lacks.

    Args:
        frame: as described by `Evidence`.
        part: ``statistics``, ``selections``, ``runs`` or ``full``.

    Raises:
        ValueError: a column is missing, a row occurs twice, or an accuracy is not in [0, 1].
    """
    if frame.empty:
        return pd.DataFrame(columns=list(COLUMNS[part]))
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
