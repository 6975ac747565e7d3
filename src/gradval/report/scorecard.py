"""The scorecard for readers: counts of verdicts, and a row for each claim."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from gradval.evidence.margins import NOT_RUN, REFUTED, SUPPORTED, UNDECIDED
from gradval.evidence.scale import EXACT, REDUCED, SUBSTITUTE
from gradval.evidence.verdict import NUMBER_COLUMNS, TEXT_COLUMNS, summarise_verdicts
from gradval.report.labels import (
    against,
    any_label,
    comparison_label,
    substitutes_label,
)
from gradval.report.tables import Cell, Kind, Table, Tone, write_tables
from gradval.study.experiments import Comparison

TITLE = "Scorecard"
# A sign beside each verdict, so that no reader depends on colour.
LOOKS: Mapping[str, tuple[str, Tone]] = {
    SUPPORTED: ("✓", "good"),
    REFUTED: ("✗", "poor"),
    UNDECIDED: ("?", "fair"),
    NOT_RUN: ("–", "none"),
}
MEANINGS = {
    SUPPORTED: "what the paper states holds: the 95% interval of the margin lies above zero, also "
    "once corrected for the claims of its family (Holm), with at least five seeds or, of an "
    "overlap, by an exact test",
    REFUTED: "as surely, the contrary holds",
    UNDECIDED: "the results settle neither",
    NOT_RUN: "this config does not produce the evidence to judge the claim",
    "Number": "yes if our interval lies within the claim's tolerance of the paper's number, no if "
    "outside; empty where there is no number, or where substitutes were run",
    "Scale": f"{EXACT}: as in the paper; {REDUCED}: fewer or smaller images, a narrower network or "
    f"fewer epochs, as stated; {SUBSTITUTE}: another data set, model, class or privacy level, in a "
    "dashed frame",
}
LEVELS = (
    "The margin says how far the claim holds: for something to lie above another, the difference; "
    "for two things to be equal, the distance inside the tolerance. Chance is the same statistic "
    "for random selections. The ceilings are what two runs of one setting have in common: with the "
    "same initial weights and another draw of sampling and noise, and with other initial weights. "
    "The two runs of a comparison share their initial weights where they are of one model."
)
KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("Claims", "Paper", "Ours", "Seeds", "Chance"), "number"),
    **dict.fromkeys(("Draw ceiling", "Seed ceiling", "p (Holm)"), "number"),
    **dict.fromkeys(("95% interval", "Margin"), "interval"),
    **dict.fromkeys(("Claim", "Found"), "prose"),
}
# The words of the claims table for what it compares, in print.
STATISTICS = {
    **{"ssim": "SSIM", "bhattacharyya": "Bhattacharyya distance", "pearson": "Pearson correlation"},
    "consistency": "overlap",
}


@dataclass(frozen=True, slots=True)
class Ran:
    """The comparisons that this config runs.

    Attributes:
        comparisons: by name.
        k: size of a selection.
        pearson_top: how many of the largest scores a correlation of the top is about.
    """

    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    k: int = 0
    pearson_top: int = 0

    def selected(self, comparison: Comparison, measure: str) -> str:
        """Which samples a statistic of a comparison is about: "25 largest", "top 144"."""
        if measure in ("pearson_top_a", "pearson_top_b"):
            return f"top {self.pearson_top:,}"
        if measure == "pearson_extremes":
            return f"{self.pearson_top:,} at either end"
        if measure in ("pearson", "spearman"):
            return "all samples"
        return f"{self.k} {comparison.end}"


def scorecard_tables(
    scorecard: pd.DataFrame,
    claims: pd.DataFrame,
    ran: Ran | None = None,
    notices: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> list[Table]:
    """How many claims have which verdict, and every claim with its numbers.

    Args:
        scorecard: as returned by `gradval.evidence.build_scorecard`, or read from its CSV file.
        claims: the claims table, for the paper's settings in full.
        ran: the comparisons that were run.
        notices: what must be said of the runs' privacy.
        notes: what a reader must know of the runs, such as that some have learnt nothing.
    """
    summary = summarise_verdicts(scorecard)
    counts = pd.DataFrame(
        {
            "Verdict": [verdict_cell(verdict) for verdict in summary["verdict"]],
            "Claims": summary["claims"].astype(str),
        }
    )
    quoted = {
        claim["id"]: {str(column): text for column, text in claim.items()}
        for claim in claims.fillna("").astype(str).to_dict("records")
    }
    rows = pd.DataFrame(
        _row(record, quoted.get(record["id"], {}), ran or Ran()) for record in _records(scorecard)
    )
    meanings = [f"{name}: {meaning}." for name, meaning in MEANINGS.items()]
    return [
        Table.of(counts, "Verdicts", kinds=KINDS, notes=notes),
        Table.of(rows, "Claims", kinds=KINDS, notes=[LEVELS, *meanings, *notices]),
    ]


def write_scorecard(
    scorecard: pd.DataFrame,
    paths: Iterable[str | Path],
    claims: pd.DataFrame,
    ran: Ran | None = None,
    notices: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> None:
    """Write a scorecard to every path, in the form that its suffix names: .csv, .md or .html.

    The other arguments are those of `scorecard_tables`; a .csv file has every column.
    """
    tables = scorecard_tables(scorecard, claims, ran, notices, notes)
    write_tables(paths, tables, title=TITLE, data=scorecard)


def verdict_cell(verdict: str, scale: str = "") -> Cell:
    """A verdict with its sign and colour; a dashed frame where a substitute was run."""
    sign, tone = LOOKS[verdict]
    return Cell(verdict, sign=sign, tone=tone, dashed=scale == SUBSTITUTE)


def _row(row: Mapping[str, Any], claim: Mapping[str, str], ran: Ran) -> dict[str, str | Cell]:
    place = "section " + row["section"].replace("Fig.", "Figure ").replace("/", ", ")
    setting = _paper_setting(row, claim)
    margin_interval = _interval(row["margin_low"], row["margin_high"])
    return {
        "Claim": Cell(
            prose(row["statement"]), detail=f"{place}: {setting}; {row['id']}", anchor=row["id"]
        ),
        "Verdict": verdict_cell(row["verdict"], row["scale"]),
        "Number": row["number_matches"],
        "Scale": Cell(row["scale"], detail=_scale(row)),
        "Statistic": STATISTICS.get(row["statistic"], row["statistic"]),
        "Paper": row["paper"],
        "Ours": _number(row["ours"]),
        "95% interval": _interval(row["low"], row["high"]),
        "Seeds": f"{row['n']:.0f}" if row["n"] else "",
        "Margin": f"{_number(row['margin'])} {margin_interval}".strip(),
        "p (Holm)": _p(row["p_adjusted"]),
        "Chance": _number(row["chance"]),
        "Draw ceiling": _number(row["draw_ceiling"]),
        "Seed ceiling": _number(row["seed_ceiling"]),
        "Found": Cell(prose(row["reading"]), detail=_own_setting(row, claim, ran)),
    }


def _paper_setting(row: Mapping[str, Any], claim: Mapping[str, str]) -> str:
    """What the paper compares, as "VoG, ResNet-18, ε = 1 against ε = 8, CIFAR-10, class bird"."""
    parts = [
        _scores(claim),
        _sides(row["paper_model"], "every model"),
        _sides(row["paper_privacy"], "every privacy level"),
        _sides(row["paper_dataset"], "every data set"),
        _subset(claim),
    ]
    return ", ".join(part for part in parts if part)


def _own_setting(row: Mapping[str, Any], claim: Mapping[str, str], ran: Ran) -> str:
    """What was run, and which of it is a substitute."""
    comparison = ran.comparisons.get(claim.get("source", ""))
    if comparison:
        setting = comparison_label(comparison, ran.selected(comparison, claim["measure"]))
    else:
        parts = [_scores(claim), *(_sides(row[name]) for name in ("model", "privacy", "dataset"))]
        setting = ", ".join(part for part in parts if part) or "every setting"
        if row["verdict"] == NOT_RUN:
            setting = ""
    if row["substitutes"]:
        setting += f" (substitute: {substitutes_label(row['substitutes'])})"
    return setting.strip()


def _scores(claim: Mapping[str, str]) -> str:
    names = [claim.get("score_a", ""), claim.get("score_b", "")]
    return _sides("|".join(name for name in names if name), "every score")


def _subset(claim: Mapping[str, str]) -> str:
    """Which samples, in the words of the claims table: "class bird largest", "top 1000"."""
    return re.sub(r"^(class \S+) ", r"\1, ", claim.get("subset", ""))


def _sides(names: str, every: str = "") -> str:
    """Names joined by | in words, as "ε = 1 against ε = 8"."""
    return against(every if name == "each" else any_label(name) for name in names.split("|"))


def prose(text: str) -> str:
    """A sentence as it is printed: ε instead of eps, minus signs instead of hyphens."""
    text = re.sub(r"\beps(?: |=)(?=\d)", "ε = ", text)
    return re.sub(r"(?<![\w–-])-(?=\d)", "−", text)


def _records(scorecard: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dictionaries, also of a scorecard that was read from a CSV file."""
    texts = scorecard[list(TEXT_COLUMNS)].astype(object).fillna("").astype(str)
    numbers = scorecard[list(NUMBER_COLUMNS)].astype(float)
    records = pd.concat([texts, numbers], axis=1).to_dict("records")
    return [{str(name): value for name, value in record.items()} for record in records]


def _scale(row: Mapping[str, Any]) -> str:
    """What differs from the paper; substitutes are named beside the setting that was run."""
    return "" if row["scale"] == SUBSTITUTE else str(row["sizes"])


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"[{_number(low)}, {_number(high)}]"


def _p(value: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def _number(value: float) -> str:
    """Two decimals below ten, one above; nothing for NaN."""
    if math.isnan(value):
        return ""
    text = f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
    return text.replace("-", "−")
