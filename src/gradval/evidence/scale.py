"""On what scale a claim was put to the test: as in the paper, reduced, or with substitutes."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from gradval.evidence.claims import Claim
from gradval.evidence.results import RunSetting

EXACT, REDUCED, SUBSTITUTE = "exact", "reduced", "substitute"
SCALES = (EXACT, REDUCED, SUBSTITUTE)


@dataclass(frozen=True, slots=True)
class PaperData:
    """Training images of a data set of the paper, and their height and width in pixels (A.1)."""

    samples: int
    image_size: int


PAPER_DATA: Mapping[str, PaperData] = {
    "cifar10": PaperData(50_000, 32),
    "cinic10": PaperData(90_000, 32),
    "pppd": PaperData(5_400, 224),
}
# Channels of the first stage of a network of full width; the paper names no other.
FULL_WIDTH = 64
# Epochs of both phases around a removal (4.6), the shortest and the longest.
PAPER_EPOCHS = {"first_epochs": (5, 10), "second_epochs": (10, 20)}
SIZE_COLUMNS = ("samples", "image_size", "width")


def scale_of(
    claim: Claim, run: RunSetting, full: pd.DataFrame, runs: pd.DataFrame
) -> tuple[str, str]:
    """One of `SCALES`, and what differs from the paper in words (empty if nothing does).

    Args:
        claim: with the paper's names.
        run: who plays them.
        full: runs on all data, with the columns `SIZE_COLUMNS` where recorded.
        runs: pruned runs, with first_epochs and second_epochs where recorded; of claims about
            removals.
    """
    replaced = [part for part in (run.substitutes, _other_settings(claim, run)) if part]
    if replaced:
        return SUBSTITUTE, "; ".join(replaced)
    paper = {name: PAPER_DATA[name] for name in run.dataset.split("|") if name in PAPER_DATA}
    rows = run.among(full)
    smaller = [text for name, data in paper.items() for text in _smaller(rows, name, data)]
    if claim.kind in ("removal", "saving"):
        smaller += _shorter(run.among(runs))
    smaller = list(dict.fromkeys(smaller))
    return (REDUCED, "; ".join(smaller)) if smaller else (EXACT, "")


def _other_settings(claim: Claim, run: RunSetting) -> str:
    """Privacy levels that differ from those of which the paper speaks."""
    if claim.kind not in ("comparison", "dominant_class"):
        return ""
    ran = {p for joined in (run.privacy_a, run.privacy_b) for p in joined.split("|") if p}
    stated = {level_name(text) for text in claim.settings if text not in ("each", "")}
    if not ran or not stated or (stated <= ran and len(claim.comparisons) > 1) or stated == ran:
        return ""
    return f"{', '.join(sorted(ran))} for {', '.join(sorted(stated))}"


def level_name(text: str) -> str:
    """The name of a privacy level in the paper's words: ``eps=4`` as eps4, non-private."""
    return text.replace("=", "").replace("-", "")


def _smaller(rows: pd.DataFrame, name: str, paper: PaperData) -> Iterator[str]:
    rows = rows[rows["dataset"] == name]
    known = [column for column in SIZE_COLUMNS if column in rows and rows[column].notna().any()]
    if len(known) < len(SIZE_COLUMNS):
        yield f"sizes of {name} not recorded"
        return
    samples, size, width = (_least(rows[column]) for column in SIZE_COLUMNS)
    if samples < paper.samples:
        yield f"{samples:,} of {paper.samples:,} images of {name}"
    if size != paper.image_size:
        yield f"{size} instead of {paper.image_size} pixels"
    if width < FULL_WIDTH:
        yield f"width {width} of {FULL_WIDTH}"


def _shorter(runs: pd.DataFrame) -> Iterator[str]:
    for column, (low, high) in PAPER_EPOCHS.items():
        if column not in runs or runs[column].isna().all():
            continue
        epochs = float(runs[column].astype(float).min())
        if not low <= epochs <= high:
            yield f"{epochs:g} instead of {low} to {high} {column.replace('_', ' ')}"


def _least(column: pd.Series) -> int:
    value = float(column.astype(float).min())
    return 0 if math.isnan(value) else int(value)
