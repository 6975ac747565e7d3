"""What the audit says about the right training, and about broken ones.

    PYTHONPATH=tests/unit python benchmarks/audit.py

The training, its broken variants and what is claimed are those of the tests
(`tests/unit/small_audit.py`, `broken_privacy.py`), with more canaries. Twenty repeats of the right
training at each epsilon, three seeds of each mistake. Writes `docs/audit/audits.csv`, row by row:
what is there already is not run again, and deleting a row repeats it. Prints the tables of
docs/audit.md. Takes less than ten minutes of one core.
"""

from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
from broken_privacy import BROKEN, DrawnNumberStep, with_step
from small_audit import CONFIDENCE, EVERYONE, HALVES, SAMPLED, audit, audit_many

from gradval.audit.result import AuditPlan
from gradval.audit.watch import WatchedTrainer
from gradval.runtime.files import atomic_path

RESULTS = Path(__file__).parents[1] / "docs" / "audit" / "audits.csv"
PLAN = AuditPlan(canaries=30_000, guesses=1800, confidence=CONFIDENCE)
KEY = ["mistake", "target", "rate", "steps", "seed"]
REPEATS, SEEDS = 20, 3
RIGHT, WEIGHTS = "none", "none, final weights alone"
# These are looked for in many trainings of one canary each, on two images.
MANY = {
    "none, in many trainings": WatchedTrainer,
    "noisy sum divided by the drawn number": with_step(DrawnNumberStep),
}
# Where a mistake is looked for: the claim, and what is executed. Where it is not said: at epsilon 1
# with rare sampling.
PLACES = {
    "half of the noise": (1.0, EVERYONE),
    "each layer clipped by itself": (1.0, EVERYONE),
    "clipped sum divided by the drawn batch": (1.0, EVERYONE),
    "no noise in one layer": (1.0, EVERYONE),
    "shuffled batches": (4.0, HALVES),
}


def cases() -> list[tuple[str, float, tuple[float, int], int]]:
    """Mistake, claimed epsilon, rate and steps, seed."""
    broken = [
        (mistake, *PLACES.get(mistake, (1.0, SAMPLED)), seed)
        for seed in range(SEEDS)
        for mistake in BROKEN
    ]
    right = [
        (RIGHT, target, EVERYONE, seed) for seed in range(REPEATS) for target in (1.0, 4.0, 8.0)
    ]
    others = [
        (RIGHT, target, phase, seed)
        for seed in range(SEEDS)
        for target, phase in ((1.0, SAMPLED), (4.0, HALVES))
    ]
    weights = [
        (WEIGHTS, target, phase, seed)
        for seed in range(SEEDS)
        for target, phase in ((1.0, EVERYONE), (4.0, EVERYONE), (8.0, EVERYONE), (1.0, SAMPLED))
    ]
    many = [(mistake, 1.0, EVERYONE, seed) for seed in range(SEEDS) for mistake in MANY]
    return [*broken, *right, *others, *many, *weights]


def run(mistake: str, target: float, phase: tuple[float, int], seed: int) -> dict:
    """One row."""
    if mistake in MANY:
        result = asdict(audit_many(MANY[mistake], seed=seed))
    else:
        trainer = BROKEN.get(mistake, WatchedTrainer)
        plan = replace(PLAN, sees="weights" if mistake == WEIGHTS else "steps")
        result = asdict(audit(trainer, target, phase, audit=plan, seed=seed))
    (event,) = result.pop("events")
    key = dict(zip(KEY, (mistake, target, *phase, seed), strict=True))
    return key | result | {"noise_multiplier": event["noise_multiplier"]}


def summary(table: pd.DataFrame) -> str:
    """One line a mistake and claim, as in docs/audit.md."""
    lines = []
    for (mistake, target, rate, steps), rows in table.groupby(KEY[:-1], sort=False):
        bounds, others = rows["epsilon_lower_bound"], rows["any_mechanism"]
        lines.append(
            f"| {mistake} | {target:g} | {rate:g} | {steps} | {len(rows)} | {bounds.min():.2f} | "
            f"{bounds.mean():.2f} | {bounds.max():.2f} | {others.mean():.2f} | "
            f"{rows['refuted'].sum()} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, and print the summary."""
    table = pd.read_csv(RESULTS) if RESULTS.exists() else pd.DataFrame(columns=KEY)
    for mistake, target, phase, seed in cases():
        key = (mistake, target, *phase, seed)
        if key in set(table[KEY].itertuples(index=False, name=None)):
            continue
        row = pd.DataFrame([run(mistake, target, phase, seed)])
        table = row if table.empty else pd.concat([table, row])
        with atomic_path(RESULTS) as temporary:
            table.to_csv(temporary, index=False)
        print(summary(row), flush=True)
    print("\n" + summary(table))


if __name__ == "__main__":
    main()
