"""Claims of the scorecard as the page shows them: in words, with a drawing, links and filters."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from gradval.evidence.margins import NOT_RUN, REFUTED, SUPPORTED, UNDECIDED
from gradval.report.labels import any_label, substitutes_label
from gradval.report.scorecard import LOOKS, STATISTICS, prose
from gradval.report.study_page.interval_plot import IntervalPlot, Mark, interval_text, number
from gradval.report.study_page.material import Material
from gradval.report.study_page.ranges import Interval, cut, possible
from gradval.study.names import score_label, score_order

# The order in which verdicts are counted and drawn.
VERDICT_ORDER = (SUPPORTED, REFUTED, UNDECIDED, NOT_RUN)
REMOVALS = ("removal", "saving")
# What the first screen holds a number against.
AGAINST = ("Chance", "Other draw", "Other seed")


@dataclass(frozen=True)
class ClaimView:
    """A claim, ready for the page.

    Attributes:
        id: by which links find it.
        statement: what the paper says, as it is printed.
        verdict, sign, tone: the verdict, its mark and its colour.
        section: of the paper, in words.
        statistic: what was measured, in words.
        scores, datasets: names by which the page filters; labels follow from them.
        ours, paper, interval_words: numbers in print, empty if there are none.
        interval: within what is possible.
        strength: how many half-widths of its interval the margin lies from zero, with its sign;
            infinite if it was counted, NaN if it has no interval.
        plot: the drawing.
        facts: (term, value) of what else is known, in order.
        reading: what was found, in words.
        links: (text, target) of figures and tables that show it.
        settled: whether the verdict is supported or refuted.
        row: the row of the scorecard.
    """

    id: str
    statement: str
    verdict: str
    sign: str
    tone: str
    section: str
    statistic: str
    scores: Sequence[str]
    datasets: Sequence[str]
    ours: str
    paper: str
    interval: Interval | None
    strength: float
    plot: IntervalPlot
    facts: Sequence[tuple[str, str]]
    reading: str
    links: Sequence[tuple[str, str]]
    row: Mapping[str, Any]

    @property
    def settled(self) -> bool:
        """Whether the results settle it."""
        return self.verdict in (SUPPORTED, REFUTED)

    @property
    def svg(self) -> Markup:
        """The drawing."""
        return self.plot.svg()

    @property
    def interval_words(self) -> str:
        """The interval as a reader needs it."""
        if self.interval is None:
            return ""
        if self.interval.everything:
            return "[all that is possible]"
        return interval_text(self.interval, self.plot.digits)

    @property
    def numbers(self) -> str:
        """One line of numbers: ours, how sure it is, what it is held against."""
        if not self.ours:
            return ""
        # "accuracy difference (points)" and "test accuracy %" carry the unit of the number.
        name, unit = _unit(self.statistic)
        parts = [f"{name}: {self.ours}{unit}"]
        if self.row["unit"] == "sample":
            # Judged by an exact test within each seed, not by an interval over seeds.
            parts.append(f"exact test: p {self._fact('p, corrected')}")
        elif self.interval and self.interval.low < self.interval.high:
            parts[0] += f" {self.interval_words}"
        parts += [f"{name.lower()} {self._fact(name)}" for name in AGAINST if self._fact(name)]
        if self.paper:
            parts.append(f"the paper prints {self.paper}{unit}")
        return "; ".join(parts)

    def _fact(self, name: str) -> str:
        return dict(self.facts).get(name, "")


def claim_views(material: Material) -> list[ClaimView]:
    """Every claim of the scorecard, in its order; none without a scorecard."""
    frame = material.scorecard
    if frame is None:
        return []
    return [
        _view({str(k): v for k, v in row.items()}, material) for row in frame.to_dict("records")
    ]


def sections_of(views: Sequence[ClaimView]) -> dict[str, list[ClaimView]]:
    """Claims by section of the paper, in the order in which sections first appear."""
    found: dict[str, list[ClaimView]] = {}
    for view in views:
        found.setdefault(view.section, []).append(view)
    return found


def filters_of(views: Sequence[ClaimView]) -> dict[str, dict[str, str]]:
    """What the page filters by: scores and data sets, name -> label."""
    scores = score_order(score for view in views for score in view.scores)
    datasets = sorted({dataset for view in views for dataset in view.datasets})
    return {
        "score": {name: score_label(name) for name in scores},
        "dataset": {name: any_label(name) for name in datasets},
    }


def _view(row: Mapping[str, Any], material: Material) -> ClaimView:
    facts = material.facts
    known = facts.claims.get(row["id"])
    limits = possible(row["statistic"], facts.k)
    interval = cut(row["low"], row["high"], limits)
    sign, tone = LOOKS[row["verdict"]]
    paper = _paper_number(row["paper"])
    marks = (
        Mark("paper", "the paper", paper),
        Mark("chance", "chance", _get(row, "chance")),
        Mark("draw", "other draw", _get(row, "draw_ceiling")),
        Mark("seed", "other seed", _get(row, "seed_ceiling")),
    )
    plot = IntervalPlot(row["ours"], interval, marks)
    return ClaimView(
        id=row["id"],
        statement=prose(row["statement"]),
        verdict=row["verdict"],
        sign=sign,
        tone=tone,
        section=section_words(row["section"]),
        statistic=_statistic(row["statistic"]),
        scores=known.scores if known else (),
        datasets=[name for name in row["paper_dataset"].split("|") if name],
        ours=number(row["ours"], plot.digits),
        paper="" if math.isnan(paper) else row["paper"],
        interval=interval,
        strength=_strength(row),
        plot=plot,
        facts=[fact for fact in _facts(row, plot.digits) if fact[1]],
        reading=_reading(row["reading"], interval, plot.digits),
        links=_links(known.sources if known else (), known.kind if known else "", material),
        row=row,
    )


def _statistic(name: str) -> str:
    """A statistic in words, as "SSIM" or "overlap of 25"."""
    return STATISTICS.get(name, name)


def _reading(text: str, interval: Interval | None, digits: int) -> str:
    """What was found in words, with the part of the interval that is possible."""
    if interval is not None and (interval.cut_low or interval.cut_high):
        # A function: in a text the backslash would mean something.
        text = re.sub(
            r"\[-?[\d.]+, -?[\d.]+\]",
            lambda _: f"{interval_text(interval, digits)} (cut to what is possible)",
            text,
            count=1,
        )
    return prose(text)


def _unit(statistic: str) -> tuple[str, str]:
    """A statistic without its unit, and the unit: "test accuracy %" as "test accuracy" and "%"."""
    for ending, unit in ((" %", "%"), (" (points)", " points")):
        if statistic.endswith(ending):
            return statistic.removesuffix(ending), unit
    return statistic, ""


def section_words(section: str) -> str:
    """A section of the paper in words: "4.1/Fig.3" as "Section 4.1, Figure 3"."""
    words = [
        part.replace("Fig.", "Figure ") if part[0].isalpha() else f"Section {part}"
        for part in section.split("/")
    ]
    return ", ".join(words)


def _facts(row: Mapping[str, Any], digits: int) -> list[tuple[str, str]]:
    margin = number(_get(row, "margin"))
    ends = cut(_get(row, "margin_low"), _get(row, "margin_high"), (-math.inf, math.inf))
    p = _get(row, "p_adjusted")
    return [
        ("Rule", row["rule"]),
        ("Margin", f"{margin} {interval_text(ends)}".strip()),
        ("p, corrected", "" if math.isnan(p) else f"{p:.3f}" if p >= 0.001 else "below 0.001"),
        ("Chance", number(_get(row, "chance"), digits)),
        ("Other draw", number(_get(row, "draw_ceiling"), digits)),
        ("Other seed", number(_get(row, "seed_ceiling"), digits)),
        ("Seeds", f"{row['n']:.0f}" if row["n"] else ""),
        ("Number", row["number_matches"]),
        ("Scale", row["scale"]),
        ("Substitutes", substitutes_label(row["substitutes"]) if row["substitutes"] else ""),
        ("Reduced", "" if row["substitutes"] else row["sizes"]),
        ("Claim", row["id"]),
    ]


def _links(sources: Sequence[str], kind: str, material: Material) -> list[tuple[str, str]]:
    """The figures that show what a claim is judged by, and the table that does."""
    found = [
        (figure, f"#{figure}")
        for figure in material.figures
        if set(sources) & set(_shown(material, figure))
    ]
    if kind in REMOVALS and material.table("table1.csv") is not None:
        found.append(("table1", "#table1"))
    return found


def _shown(material: Material, figure: str) -> Sequence[str]:
    facts = material.facts.figures.get(figure)
    return facts.comparisons if facts else ()


def _strength(row: Mapping[str, Any]) -> float:
    """How far the margin is from zero, in half-widths of its interval on that side."""
    margin, low, high = (_get(row, name) for name in ("margin", "margin_low", "margin_high"))
    if math.isnan(margin) or math.isnan(low):
        return math.nan
    half = margin - low if margin > 0 else high - margin
    return math.copysign(math.inf, margin) if half == 0 else margin / half


def _get(row: Mapping[str, Any], name: str) -> float:
    return float(row.get(name, math.nan))


def _paper_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
