"""What the results of a study say about the paper's claims.

- ``intervals``: means over seeds, confidence intervals, differences paired by seed;
- ``claims``: the claims table, one row for each number and ordering that the paper prints;
- ``results``: the results of a study as plain frames, and what was run for a claim;
- ``measurement``: our side of one claim;
- ``verdict``: the verdict on every claim.
"""

from gradval.evidence.claims import Claim, Rule, parse_claims, read_claims
from gradval.evidence.intervals import (
    Summary,
    by_seed,
    paired_difference,
    summarise,
    summarise_share,
)
from gradval.evidence.measurement import Measurement, measure
from gradval.evidence.results import Evidence, RunSetting, checked
from gradval.evidence.verdict import (
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    SAME_DIRECTION,
    SUBSTITUTE,
    VERDICTS,
    build_scorecard,
    judge,
    summarise_verdicts,
)

__all__ = [
    "NOT_REPRODUCED",
    "NOT_RUN",
    "REPRODUCED",
    "SAME_DIRECTION",
    "SUBSTITUTE",
    "VERDICTS",
    "Claim",
    "Evidence",
    "Measurement",
    "Rule",
    "RunSetting",
    "Summary",
    "build_scorecard",
    "by_seed",
    "checked",
    "judge",
    "measure",
    "paired_difference",
    "parse_claims",
    "read_claims",
    "summarise",
    "summarise_share",
    "summarise_verdicts",
]
