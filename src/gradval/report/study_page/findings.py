"""The first screen: what the study found, in sentences written from its evidence.

Nothing here judges. Verdicts are the scorecard's; where it leaves a claim open, so do the
sentences, and they say why.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gradval.evidence.constant import no_better
from gradval.evidence.margins import NOT_RUN, REFUTED, SUPPORTED, UNDECIDED
from gradval.evidence.scale import EXACT, REDUCED, SUBSTITUTE
from gradval.evidence.statistics import FEWEST_REPLICATES
from gradval.report.audits import conclusion
from gradval.report.labels import any_label
from gradval.report.study_page.claims import VERDICT_ORDER, ClaimView
from gradval.report.study_page.interval_plot import number
from gradval.report.study_page.material import Material
from gradval.study.names import (
    dataset_label,
    is_private,
    model_label,
    privacy_label,
    privacy_order,
    score_label,
)

MOST = 3  # claims that are named of either side
FULL_WIDTH = 64


@dataclass(frozen=True)
class Named:
    """A claim that the first screen names, and why."""

    claim: ClaimView
    why: str


@dataclass(frozen=True)
class Findings:
    """The first screen.

    Attributes:
        counts: verdict -> claims, in the order of `VERDICT_ORDER`.
        headline: one sentence.
        caution: how much is settled, and by what.
        strongest: claims that hold best.
        surprising: claims that hold least.
        sentences: what else was found, one sentence a part of the study.
        scale: what was substituted or reduced.
    """

    counts: dict[str, int]
    headline: str
    caution: str
    strongest: Sequence[Named]
    surprising: Sequence[Named]
    sentences: Sequence[str]
    scale: Sequence[str]


def find(views: Sequence[ClaimView], material: Material) -> Findings:
    """What a study found.

    Args:
        views: of its claims; may be none.
        material: of the study.
    """
    counts = {verdict: sum(v.verdict == verdict for v in views) for verdict in VERDICT_ORDER}
    return Findings(
        counts=counts,
        headline=_headline(counts),
        caution=_caution(views),
        strongest=strongest(views),
        surprising=surprising(views),
        sentences=list(filter(None, (write(material) for write in SENTENCES))),
        scale=[text for text in (_substituted(views), _reduced(material, views)) if text],
    )


def strongest(views: Sequence[ClaimView]) -> list[Named]:
    """The claims that hold best: the supported, then those that lean so without a verdict."""
    held = _sorted(views, SUPPORTED, _by_p)
    leaning = [v for v in views if v.verdict == UNDECIDED and v.strength > 1]
    leaning.sort(key=lambda view: -view.strength)
    return _named(held, "supported") + _named(leaning, "leans this way, not settled", len(held))


def surprising(views: Sequence[ClaimView]) -> list[Named]:
    """The claims that hold least: the refuted, then those that lean against the paper."""
    refuted = _sorted(views, REFUTED, _by_p)
    leaning = [v for v in views if v.verdict == UNDECIDED and v.strength < -1]
    leaning.sort(key=lambda view: view.strength)
    return _named(refuted, "refuted") + _named(
        leaning, "leans against the paper, not settled", len(refuted)
    )


def _sorted(
    views: Sequence[ClaimView], verdict: str, key: Callable[[ClaimView], float]
) -> list[ClaimView]:
    """Claims of a verdict from the surest; of those about one and the same number only one."""
    found = sorted((v for v in views if v.verdict == verdict), key=key)
    once = {(v.statistic, v.ours): v for v in reversed(found)}
    return sorted(once.values(), key=key)


def _by_p(view: ClaimView) -> float:
    p = float(view.row["p_adjusted"])
    return 1.0 if math.isnan(p) else p


def _named(views: Sequence[ClaimView], why: str, before: int = 0) -> list[Named]:
    return [Named(view, why) for view in views[: max(0, MOST - before)]]


def _headline(counts: dict[str, int]) -> str:
    total = sum(counts.values())
    if not total:
        return "No claim of the paper was judged."
    tested = total - counts[NOT_RUN]
    start = f"Of {tested} claims of the paper that were tested, "
    missing = f"; {counts[NOT_RUN]} more were not run" if counts[NOT_RUN] else ""
    if tested == total:
        start = f"Of the paper's {total} claims, "
    if not tested:
        return f"None of the paper's {total} claims was tested."
    if not counts[SUPPORTED] and not counts[REFUTED]:
        return f"{start}none is settled{missing}."
    parts = [
        f"{counts[SUPPORTED]} {_is(counts[SUPPORTED])} supported",
        f"{counts[REFUTED]} {_is(counts[REFUTED])} refuted",
        f"{counts[UNDECIDED]} {_stay(counts[UNDECIDED])} undecided",
    ]
    return f"{start}{joined(parts)}{missing}."


def joined(items: Iterable[str]) -> str:
    """Items as "a, b and c"."""
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _stay(count: int) -> str:
    return "stays" if count == 1 else "stay"


def _caution(views: Sequence[ClaimView]) -> str:
    """Why so much is open, if it is."""
    tested = [view for view in views if view.verdict != NOT_RUN]
    if not tested:
        return ""
    seeds = [int(v.row["n"]) for v in tested if v.row["unit"] == "seed" and v.row["n"]]
    fewest = max(seeds, default=0)
    settled = [view for view in tested if view.settled]
    if fewest >= FEWEST_REPLICATES or not seeds:
        return ""
    text = (
        f"{_count(fewest)} {'seeds settle' if fewest > 1 else 'seed settles'} nothing that varies "
        f"from seed to seed: such a claim needs at least {FEWEST_REPLICATES} for a verdict."
    )
    by = {unit: sum(v.row["unit"] == unit for v in settled) for unit in ("sample", "count")}
    ways = []
    if by["sample"]:
        ways.append(f"exact tests of overlaps ({by['sample']})")
    if by["count"]:
        ways.append(f"counted gradients, which do not vary ({by['count']})")
    if ways:
        text += f" What is settled rests on {joined(ways)}."
    return text


def _count(number: int) -> str:
    words = ("No", "One", "Two", "Three", "Four")
    return words[number] if number < len(words) else str(number)


def _accuracy(material: Material) -> str:
    """Accuracy at every privacy level, of each data set and model."""
    runs = material.runs
    if runs is None:
        return ""
    parts = []
    for (dataset, model), group in runs.groupby(["dataset", "model"], sort=False):
        means = 100 * group.groupby("privacy")["test_accuracy"].mean()
        order = privacy_order(map(str, means.index))
        # Without privacy first, then from the weakest to the strictest.
        levels = [*(x for x in order if not is_private(x)), *filter(is_private, reversed(order))]
        values = [f"{means[level]:.1f}% {_at(level)}" for level in levels]
        where = f" on {dataset_label(str(dataset))}" if runs["dataset"].nunique() > 1 else ""
        parts.append(f"{model_label(str(model))}{where} {joined(values)}")
    return f"Test accuracy: {'; '.join(parts)}."


def _nothing_learnt(material: Material) -> str:
    """Models that are no better than the constant answer, whose scores are then noise."""
    runs = material.runs
    # Kept tables of earlier studies do not say.
    if runs is None or "better_than_constant" not in runs:
        return ""
    said = no_better(runs)
    return f"Has learnt nothing that scores could tell: {'; '.join(said)}." if said else ""


def _at(level: str) -> str:
    return f"at {privacy_label(level)}" if is_private(level) else "without privacy"


def _removal(material: Material) -> str:
    """What removing samples does beside removing as many at random."""
    table = material.table("table1.csv")
    if table is None:
        return ""
    rows = table[~table["removal"].isin(["random", "none"])].dropna(subset=["difference_low"])
    if rows.empty:
        return ""
    clear = rows[(rows["difference_low"] > 0) | (rows["difference_high"] < 0)]
    scores = f"{len(rows)} removals by a score"
    if clear.empty:
        return (
            f"Table 1: none of {scores} differs from removing as many samples at random "
            "by more than its 95% interval."
        )
    worst = clear.iloc[int(clear["difference"].abs().argmax())]
    amount = abs(worst["difference"])
    way = "gains" if worst["difference"] > 0 else "costs"
    return (
        f"Table 1: {len(clear)} of {scores} {'differs' if len(clear) == 1 else 'differ'} clearly "
        f"from random removal (95% intervals, not corrected); the largest: "
        f"{score_label(worst['removal'])} at {privacy_label(worst['privacy'])} {way} "
        f"{amount:.1f} points."
    )


def _federation(material: Material) -> str:
    """Whether what sites publish says what they are worth, and whom it would pay."""
    found = material.table("federation/summary.csv")
    if found is None:
        return ""
    # Noise only adds to what is wrong without it.
    rows = found[(found["rule"] == "mean") & np.isinf(found["epsilon"])]
    order = rows.loc[rows["measure"] == "kendall_accuracy", "mean"].dropna()
    paid = 100 * rows.loc[rows["measure"] == "paid_harmful", "mean"].dropna()
    parts = []
    if len(order):
        parts.append(
            f"orders of sites by published scores agree with their Shapley values at Kendall's τ "
            f"{_span(order, 2)}"
        )
    if len(paid):
        more = "more" if paid.min() > 0 else "less" if paid.max() < 0 else "more (negative: less)"
        amounts = paid.abs() if more == "less" else paid
        parts.append(
            f"sites with harmful data would be paid {_span(amounts, 0)} points {more} than an "
            "equal share"
        )
    return f"Federation, without noise: {joined(parts)}." if parts else ""


def _audit(material: Material) -> str:
    """What audits say of the claimed epsilons."""
    frame = material.table("audit.csv")
    if frame is None:
        return ""
    records = frame.to_dict("records")
    return f"Audit: {conclusion([{str(k): v for k, v in row.items()} for row in records])}"


def _span(values: pd.Series, digits: int) -> str:
    """The smallest and the largest of some values in print."""
    low, high = (number(float(value), digits) for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


# What the first screen says beyond claims: one sentence a part of the study, empty without it.
SENTENCES: tuple[Callable[[Material], str], ...] = (
    _accuracy,
    _removal,
    _nothing_learnt,
    _federation,
    _audit,
)


def _substituted(views: Sequence[ClaimView]) -> str:
    tested = [view for view in views if view.verdict != NOT_RUN]
    if not tested:
        return ""
    counts = {
        scale: sum(v.row["scale"] == scale for v in tested)
        for scale in (EXACT, REDUCED, SUBSTITUTE)
    }
    pairs: dict[str, list[str]] = {}
    for view in tested:
        for part in filter(None, view.row["substitutes"].split("; ")):
            ours, _, papers = part.partition(" for ")
            if papers not in pairs.setdefault(ours, []):
                pairs[ours].append(papers)
    if not counts[SUBSTITUTE]:
        return ""
    named = [
        f"{any_label(ours)} for {joined(map(any_label, papers))}" for ours, papers in pairs.items()
    ]
    how_many = f"{counts[SUBSTITUTE]} of {len(tested)} claims were"
    end = ""
    if counts[SUBSTITUTE] == len(tested):
        how_many = "Every claim was"
        end = " No number of the paper can be reproduced on substitutes; orderings can."
    return f"{how_many} tested on substitutes: {'; '.join(named)}.{end}"


def _reduced(material: Material, views: Sequence[ClaimView]) -> str:
    """How large images, networks and data are, from the runs themselves."""
    runs = material.runs
    if runs is None:
        return ""
    parts = [f"{_range(runs['samples'])} training images"]
    if "image_size" in runs:
        size = _range(runs["image_size"])
        parts[0] += f" of {size}×{size} pixels"
    if "width" in runs:
        widths = sorted(map(int, runs["width"].unique()))
        full = "" if widths[0] >= FULL_WIDTH else f" (full width: {FULL_WIDTH})"
        parts.append(f"networks of width {_range(runs['width'])}{full}")
    if "epochs" in runs:
        parts.append(f"{_range(runs['epochs'].round())} epochs")
    seeds = runs["seed"].nunique()
    draws = runs["draw"].nunique() if "draw" in runs else 1
    parts.append(f"{seeds} seed{'s' * (seeds > 1)}")
    parts.append(f"{draws} draw{'s' * (draws > 1)} of noise")
    return f"Trained on {', '.join(parts)}."


def _range(values: pd.Series) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
