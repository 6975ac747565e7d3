"""What an audit says about the right training and about broken ones.

    PYTHONPATH=tests/unit python benchmarks/audit_variants.py

The audit and the broken trainings are those of the tests (`tests/unit/small_audit.py` and
`broken_privacy.py`), five seeds each. Writes `docs/audit/variants.csv` and prints the table of
docs/privacy/audit.md. Takes six minutes on two cores.
"""

from dataclasses import asdict
from pathlib import Path

import pandas as pd
from broken_privacy import BROKEN, HalfTheNoise, QuarterOfTheNoise
from small_audit import EVERYONE, SAMPLED, audit, small_store

from gradval.runtime.files import atomic_path
from gradval.training.loop import Trainer

RESULTS = Path(__file__).parents[1] / "docs" / "audit" / "variants.csv"
SEEDS = range(5)
SCALES = {"half of the noise": HalfTheNoise, "a quarter of the noise": QuarterOfTheNoise}
CASES = {
    SAMPLED: {"none": Trainer, **BROKEN, **SCALES},
    EVERYONE: {"none": Trainer, **SCALES},
}


def main() -> None:
    """Audit every variant once a seed, and print the table of docs/privacy/audit.md."""
    store, rows = small_store(), []
    for phase, variants in CASES.items():
        for mistake, make_trainer in variants.items():
            for seed in SEEDS:
                result = audit(store, make_trainer, phase=phase, seed=seed)
                rows.append({"mistake": mistake, "seed": seed, **asdict(result)})
    table = pd.DataFrame(rows)
    with atomic_path(RESULTS) as temporary:
        table.to_csv(temporary, index=False)
    for (rate, mistake), runs in table.groupby(["sampling_rate", "mistake"], sort=False):
        correct, bounds = runs["correct"].astype(str), runs["epsilon_lower_bound"]
        print(
            f"| {rate:g} | {mistake} | {', '.join(correct)} | {bounds.min():.2f} to "
            f"{bounds.max():.2f} | {runs['refuted'].sum()} |"
        )


if __name__ == "__main__":
    main()
