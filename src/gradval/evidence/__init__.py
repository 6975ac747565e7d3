"""What the results of a study say about the paper's claims.

- ``intervals``: means over seeds, confidence intervals, differences paired by seed;
- ``claims``: the claims table, one row for each number and ordering that the paper prints;
- ``results``: the results of a study as plain frames, and who plays which part in it;
- ``measurement``: our side of one claim;
- ``verdict``: the verdict on every claim.
"""

from gradval.evidence.claims import Claim, Rule, comparisons_of, parse_claims, read_claims
from gradval.evidence.intervals import (
    Summary,
    by_seed,
    paired_difference,
    summarise,
    summarise_share,
)
from gradval.evidence.measurement import Measurement, measure
from gradval.evidence.results import Actual, Evidence, checked
from gradval.evidence.verdict import (
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    SAME_DIRECTION,
    STAND_IN,
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
    "STAND_IN",
    "VERDICTS",
    "Actual",
    "Claim",
    "Evidence",
    "Measurement",
    "Rule",
    "Summary",
    "build_scorecard",
    "by_seed",
    "checked",
    "comparisons_of",
    "judge",
    "measure",
    "paired_difference",
    "parse_claims",
    "read_claims",
    "summarise",
    "summarise_share",
    "summarise_verdicts",
]
