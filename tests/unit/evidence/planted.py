"""Claims and evidence made up for tests."""

import math
from collections.abc import Iterable, Mapping

import pandas as pd

from gradval.evidence import Claim, parse_claims
from gradval.evidence.claims import PAPER_COLUMNS


def claim_row(**changes: str) -> pd.DataFrame:
    """A claims table of one valid row, changed."""
    row = dict.fromkeys(PAPER_COLUMNS, "") | {"id": "c", "statement": "S", "value": "0.5"}
    row |= {"kind": "comparison", "source": "x", "measure": "ssim_matched", "tolerance": "0.1"}
    row |= {"reference": "chance", "side": "above", "null": "0", "quantifier": "every"}
    return pd.DataFrame([row | {"unit": "seed", "family": ""} | changes])


def claim(**changes: str) -> Claim:
    return parse_claims(claim_row(**changes))[0]


def statistics(
    comparison: str,
    statistic: str,
    values: Iterable[float],
    pairing: str = "same seed",
    chance: float = math.nan,
    **more: object,
) -> pd.DataFrame:
    """One value a seed, seeds counted from zero."""
    rows = [
        {
            **{"comparison": comparison, "pairing": pairing, "statistic": statistic},
            **{"seed_a": seed, "seed_b": seed, "value": value, "chance": chance},
        }
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows).assign(**more)


def runs(**columns: object) -> pd.DataFrame:
    """Runs whose columns are constants or lists."""
    plain = {"dataset": "d", "model": "m", "privacy": "eps1", "seed": 0, "removal": "none"}
    plain |= {"train_accuracy": 0.5, "test_accuracy": 0.5}
    lengths = [len(value) for value in columns.values() if isinstance(value, list)]
    return pd.DataFrame(plain | columns, index=range(max(lengths, default=1)))


def selections(labels: Mapping[tuple[str, int], list[int]], comparison: str = "x") -> pd.DataFrame:
    rows = [
        {"comparison": comparison, "side": side, "seed": seed, "label": label}
        for (side, seed), chosen in labels.items()
        for label in chosen
    ]
    return pd.DataFrame(rows)


def comparisons_of(claims: pd.DataFrame) -> list[str]:
    """Names of all comparisons that a claims table reads, each once, in its order."""
    return list(dict.fromkeys(name for claim in parse_claims(claims) for name in claim.comparisons))
