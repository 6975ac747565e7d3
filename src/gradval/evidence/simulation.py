"""Simulated studies with a planted effect, judged by the code that judges real ones.

A rule is worth what it says of studies whose truth is known. Each study here is made of plain
frames as a real one leaves them, with an effect of so many times the paper's and noise of a size
that real runs show; `verdict_rates` counts what the scorecard makes of many of them.

The effect is zero where the claim is just not true: all removals alike, agreement across levels as
good as its ceiling where the claim is that it falls short of it, and short of it by exactly the
tolerance where the claim is that it does not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import scipy  # scipy.stats is loaded at its first use, which keeps our import fast

from gradval.evidence.agreement import DRAW_CEILINGS, SAME, SEED_CEILINGS
from gradval.evidence.levels import ScoreTable, constant_columns, levels_by_seed
from gradval.evidence.margins import NOT_RUN, VERDICTS
from gradval.evidence.results import Evidence, RunSetting
from gradval.evidence.verdict import build_scorecard
from gradval.selection.agreement import pairings
from gradval.selection.overlaps import overlap_test
from gradval.study.experiments import ORDERING_ONLY

SCORES = ("loss", "grad_norm", "vog", "plis")
PRIVATE = ("eps1", "eps4", "eps8")
# Accuracy in percentage points: what the runs of a seed share, and what each adds. 500 seeds of a
# private WRN-16-4 lie within 4.5 to 5.6 points, six standard deviations (ACSAC 2024).
SEED_SD, RUN_SD = 0.5, 0.8
X_RAY_SD = 5.0
ACTUAL = RunSetting("cifar10", "resnet18", "resnet18")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Where one statistic of one comparison lies, and how it varies.

    Attributes:
        across: its value without an effect, and by how much the paper's effect moves it.
        ceiling: between draws; chance likewise.
        sd: of what the pairs of a seed share, and of each pair.
        bounds: what values are possible.
    """

    comparison: str
    measure: str
    across: tuple[float, float]
    ceiling: float
    chance: float
    sd: tuple[float, float]
    bounds: tuple[float, float] = (-1.0, 1.0)


CORRELATION, COUNT = (0.04, 0.04), (1.5, 1.5)
FEW = (0.0, 25.0)
# One comparison for each kind of rule. The paper's values are those that it prints; where it gives
# none, 8 of 25 samples or 0.3 stand for "clearly".
AGREEMENTS = (
    Agreement("dp-loss", "pearson_top_a", (0.6, 0.09 - 0.6), 0.6, 0.0, CORRELATION),
    Agreement("fig4", "ssim_matched", (0.7, 0.355 - 0.7), 0.7, 0.4, CORRELATION),
    Agreement("fig6", "ssim_matched", (0.85, 0.05), 0.9, 0.4, CORRELATION),
    Agreement("fig6", "overlap", (15, 0), 15, 0.1, COUNT, FEW),
    Agreement("plis-eps4-eps8", "ssim_matched", (0.7, 0.1), 0.8, 0.4, CORRELATION),
    Agreement("plis-eps4-eps8", "overlap", (15, 0), 15, 0.1, COUNT, FEW),
    Agreement("plis-eps1-eps8", "ssim_matched", (0.8, -0.3), 0.8, 0.4, CORRELATION),
    *(Agreement(f"dp-{s}", "overlap", (8, 8), 16, 0.1, COUNT, FEW) for s in ("vog", "plis")),
    *(Agreement(f"dp-{s}", "overlap", (8, 0), 16, 0.1, COUNT, FEW) for s in ("loss", "grad_norm")),
    Agreement("vog-plis-nonprivate", "pearson", (0.72, 0.57 - 0.72), 0.8, 0.0, CORRELATION),
    Agreement("vog-plis-nonprivate", "pearson_extremes", (0.72, 0.33 - 0.72), 0.8, 0, CORRELATION),
)
# Share of a selection that VoG and PLIS lose to another level where the claim that they do not is
# just not true, and how it varies from seed to seed.
LOST, LOST_SD = 0.1, 0.03
# The exact test: 21 of 25 airplanes of 1,000.
EXACT_K, EXACT_CLASS, EXACT_PAPER = 25, 1000, 21
# The share of seeds whose dominant classes differ, without an effect and with the paper's.
DOMINANT = (0.5, 0.95)


def simulate_study(
    claims: pd.DataFrame, effect: float, seeds: int, draws: int, rng: np.random.Generator
) -> Evidence:
    """One study.

    Args:
        claims: the claims table, for the paper's numbers.
        effect: in units of the paper's.
        seeds, draws: initial weights, and draws of each.
        rng: source of all noise.
    """
    parts = [_agreement(plan, effect, seeds, draws, rng) for plan in AGREEMENTS]
    parts.append(_exact_overlaps(effect, seeds, rng))
    return Evidence(
        statistics=pd.concat(parts, ignore_index=True),
        selections=_dominant_classes(effect, seeds, rng),
        runs=_removals(claims, effect, seeds, rng),
        full=_accuracies(effect, seeds, rng),
        levels=_levels(effect, seeds, draws, rng),
    )


def verdict_rates(
    claims: pd.DataFrame,
    *,
    effects: Iterable[float],
    seeds: int,
    draws: int = 2,
    studies: int,
    seed: int = 0,
) -> pd.DataFrame:
    """How often each claim gets which verdict.

    Args:
        claims: the claims table.
        effects: planted effects, in units of the paper's.
        seeds, draws: of each study.
        studies: number of studies for each effect.
        seed: of the simulation.

    Returns:
        Columns id, family, effect, seeds, draws, studies, and a rate for each of `VERDICTS` but
        ``not run``. A row whose id is ``any`` counts studies with such a verdict on any claim of
        the family, which is what correcting within families is about.
    """
    rows = []
    simulated = _simulated(claims, seeds, draws)
    for effect in effects:
        rng = np.random.default_rng([seed, seeds, draws, round(1000 * effect)])
        cards = []
        for study in range(studies):
            evidence = simulate_study(simulated, effect, seeds, draws, rng)
            cards.append(build_scorecard(simulated, evidence, _Everyone()).assign(study=study))
        every = pd.concat(cards)
        key = {"effect": effect, "seeds": seeds, "draws": draws, "studies": studies}
        for (name, family), part in every.groupby(["id", "family"], sort=False):
            rows.append({"id": name, "family": family, **key, **_rates(part["verdict"])})
        for family, part in every[every["family"] != ""].groupby("family", sort=False):
            by_study = [one["verdict"] for _, one in part.groupby("study")]
            rows.append({"id": "any", "family": family, **key, **_any_rates(by_study)})
    return pd.DataFrame(rows)


def _simulated(claims: pd.DataFrame, seeds: int, draws: int) -> pd.DataFrame:
    """The claims that simulated studies say anything about."""
    evidence = simulate_study(claims, 1.0, seeds, draws, np.random.default_rng(0))
    ran = build_scorecard(claims, evidence, _Everyone())["verdict"] != NOT_RUN
    return claims[ran.to_numpy()]


class _Everyone(dict[str, "RunSetting | None"]):
    """A context in which every part is played by the paper's own."""

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> RunSetting:
        return ACTUAL

    def get(self, name: str, default: object = None) -> RunSetting:
        return ACTUAL


def _rates(verdicts: pd.Series) -> dict[str, float]:
    """How often each verdict stands there."""
    return {v: float((verdicts == v).mean()) for v in VERDICTS if v != NOT_RUN}


def _any_rates(by_study: Sequence[pd.Series]) -> dict[str, float]:
    """In how many studies each verdict stands anywhere."""
    return {
        v: float(np.mean([(verdicts == v).any() for verdicts in by_study]))
        for v in VERDICTS
        if v != NOT_RUN
    }


def _agreement(
    plan: Agreement, effect: float, seeds: int, draws: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Rows of all pairings of one comparison and statistic."""
    start, move = plan.across
    across = start + effect * move
    if plan.comparison in ("fig6", "plis-eps4-eps8"):  # the same is the most that can be claimed
        across = min(across, plan.ceiling)
    pairs = _pairs(seeds, draws, plan.comparison.startswith("vog-plis"))
    shared = rng.normal(0, plan.sd[0], seeds)
    values = np.where(pairs["is_ceiling"], plan.ceiling, across)
    values = values + (shared[pairs["seed_a"]] + shared[pairs["seed_b"]]) / 2
    values = np.clip(values + rng.normal(0, plan.sd[1], len(pairs)), *plan.bounds)
    return pairs.drop(columns="is_ceiling").assign(
        comparison=plan.comparison,
        statistic=plan.measure,
        value=np.round(values) if plan.bounds == FEW else values,
        chance=plan.chance,
    )


@cache
def _pairs(seeds: int, draws: int, same_runs: bool) -> pd.DataFrame:
    """All pairings of the runs of a study."""
    runs = [(s, d) for s in range(seeds) for d in range(draws)]
    rows = [
        (pairing, *first, *second, pairing in (*DRAW_CEILINGS, *SEED_CEILINGS))
        for pairing, (_, first), (_, second) in pairings(runs, same_runs)
    ]
    columns = ["pairing", "seed_a", "draw_a", "seed_b", "draw_b", "is_ceiling"]
    return pd.DataFrame(rows, columns=columns)


def _exact_overlaps(effect: float, seeds: int, rng: np.random.Generator) -> pd.DataFrame:
    """One pair a seed of figure 8, its overlap drawn at the odds that the effect needs."""
    sizes = EXACT_CLASS, EXACT_K, EXACT_K
    chance = EXACT_K**2 / EXACT_CLASS
    mean = min(chance + effect * (EXACT_PAPER - chance), EXACT_K - 0.5)
    odds = scipy.optimize.brentq(
        lambda x: scipy.stats.nchypergeom_fisher.mean(*sizes, np.exp(x)) - mean, -20, 20
    )
    overlaps = scipy.stats.nchypergeom_fisher.rvs(
        *sizes, np.exp(odds), size=seeds, random_state=rng
    )
    tests = [overlap_test(int(x), EXACT_K, EXACT_K, EXACT_CLASS) for x in overlaps]
    return pd.DataFrame(
        {
            **{"comparison": "fig8", "statistic": "overlap", "pairing": SAME},
            **{"seed_a": range(seeds), "seed_b": range(seeds), "draw_a": 0, "draw_b": 0},
            "value": [test.overlap for test in tests],
            "chance": chance,
            "chance_p": [test.p_above for test in tests],
            "exact_low": [test.low for test in tests],
            "exact_high": [test.high for test in tests],
        }
    )


def _dominant_classes(effect: float, seeds: int, rng: np.random.Generator) -> pd.DataFrame:
    share = min(1.0, DOMINANT[0] + effect * (DOMINANT[1] - DOMINANT[0]))
    differ = rng.random(seeds) < share
    labels = {"a": np.zeros(seeds, dtype=int), "b": differ.astype(int)}
    frames = [
        pd.DataFrame({"seed": range(seeds), "side": side, "label": label})
        for side, label in labels.items()
    ]
    return pd.concat(frames).assign(comparison="fig10")


def _removals(
    claims: pd.DataFrame, effect: float, seeds: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Pruned runs around the paper's Table 1; the controls are as good as its best scores."""
    cells_of = claims[(claims["kind"] == "removal") & (claims["value"] != ORDERING_ONLY)]
    printed = {
        tuple(source.split("/")): float(value)
        for source, value in zip(cells_of["source"], cells_of["value"], strict=True)
    }
    everywhere = float(np.mean(list(printed.values())))
    rows = []
    for privacy in PRIVATE:
        cells = {score: printed[score, privacy] for score in SCORES}
        best = (cells["loss"] + cells["grad_norm"]) / 2
        cells |= {"random": best, "none": best + 1.0}
        shared = rng.normal(0, SEED_SD, seeds)
        for removal, cell in cells.items():
            own = rng.normal(0, RUN_SD, (2, seeds))
            gain = effect * 2.0 * (removal not in ("none", "random"))
            rows += [
                {
                    **{"privacy": privacy, "removal": removal, "seed": s},
                    "test_accuracy": (
                        everywhere + effect * (cell - everywhere) + shared[s] + own[0, s]
                    )
                    / 100,
                    "train_accuracy": (60 + gain + shared[s] + own[1, s]) / 100,
                }
                for s in range(seeds)
            ]
    return pd.DataFrame(rows).assign(dataset=ACTUAL.dataset, model=ACTUAL.model_a)


def _accuracies(effect: float, seeds: int, rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        {"privacy": privacy, "seed": s, "test_accuracy": value / 100, "train_accuracy": 0.5}
        for privacy, mean in (("eps1", 45.0), ("eps8", 45.0 + effect * 21.1))
        for s, value in enumerate(np.clip(rng.normal(mean, X_RAY_SD, seeds), 0, 100))
    ]
    return pd.DataFrame(rows).assign(dataset=ACTUAL.dataset, model=ACTUAL.model_a)


def _levels(effect: float, seeds: int, draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """Agreement across levels of scores that are sums of samples, weights, draws and levels.

    With the paper's effect, eps 4 moves loss and gradient norm as much as draws do, PLIS half as
    much, and VoG not at all. Eps 8 is about what stays the same: there VoG and PLIS lose the
    tolerance without the effect, and nothing with it.
    """
    n, labels = 300, np.arange(300) % 3
    rows, values = [], []
    for score, move in (("loss", 1.0), ("grad_norm", 1.0), ("vog", 0.0), ("plis", 0.5)):
        base, of_seed = rng.normal(size=n), rng.normal(size=(seeds, n)) / 2
        for privacy in ("nonprivate", "eps4"):
            of_level = effect * move * rng.normal(size=n)
            for s in range(seeds):
                for d in range(draws):
                    rows.append((ACTUAL.model_a, privacy, s, d, score))
                    noise = rng.normal(size=n) / 2
                    values.append(base + of_seed[s] + of_level / 2 + noise)
    runs = pd.DataFrame(rows, columns=["model", "privacy", "seed", "draw", "score"])
    found = levels_by_seed(ScoreTable(ACTUAL.dataset, labels, runs, np.array(values)), sizes=[25])
    lost = LOST * max(0.0, 1 - effect) + rng.normal(0, LOST_SD, (2, seeds))
    # Set by hand: in scores the loss could be planted on average only, not for these samples.
    planted = [
        {"score": score, "quantity": quantity, "seed": s, "value": value}
        for score, of_score in zip(("vog", "plis"), lost, strict=True)
        for s, own in enumerate(of_score)
        for quantity, value in (("effect", own), ("draw_ceiling", 0.6), ("across", 0.6 - own))
    ]
    same: dict[str, str | float] = {
        **{"dataset": ACTUAL.dataset, "model": ACTUAL.model_a, "statistic": "overlap"},
        **{"k": 25, "privacy_a": "nonprivate", "privacy_b": "eps8", "chance": 0.25},
    }
    kept_same = constant_columns(pd.DataFrame(planted), same)
    return pd.concat((found, kept_same), ignore_index=True)
