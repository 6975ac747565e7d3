"""What an audit says about the right training and about broken ones.

    PYTHONPATH=tests/unit python benchmarks/audit_variants.py

The audit and the broken trainings are those of the tests (`tests/unit/small_audit.py` and
`broken_privacy.py`). Writes `docs/audit/variants.csv`, for docs/privacy.md.
"""

from dataclasses import asdict
from pathlib import Path

import pandas as pd
from broken_privacy import BROKEN, HalfTheNoise
from small_audit import audit, small_store

from gradval.files import atomic_path
from gradval.training.loop import Trainer

RESULTS = Path(__file__).parents[1] / "docs" / "audit" / "variants.csv"
VARIANTS = {"none": Trainer, **BROKEN, "half of the noise": HalfTheNoise}


def main() -> None:
    """Audit every variant once."""
    store, rows = small_store(), []
    for mistake, make_trainer in VARIANTS.items():
        rows.append({"mistake": mistake, **asdict(audit(store, make_trainer))})
        print(rows[-1], flush=True)
    with atomic_path(RESULTS) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)


if __name__ == "__main__":
    main()
