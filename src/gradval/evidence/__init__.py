"""What the results of a study say about the paper's claims.

- ``intervals``, ``statistics``, ``overlaps``: means over seeds with their intervals, tests over
  few replicates, exact chance of overlaps;
- ``levels``: agreement of scores across privacy levels, draws and initial weights;
- ``claims``: the claims table, one row for each number and statement, with its rule;
- ``results``: the results of a study as plain frames, and what was run for a claim;
- ``measurement`` (``agreement``, ``runs``): our side of one claim;
- ``scale``: on what data and models it was tested;
- ``margins``, ``verdict``: whether a rule holds, and the verdict on every claim;
- ``kept``: the tables from which all of that can be computed again.
"""

from gradval.evidence.claims import Claim, Rule, parse_claims, read_claims
from gradval.evidence.intervals import (
    Summary,
    paired_difference,
    summarise,
    summarise_share,
)
from gradval.evidence.margins import NOT_RUN, REFUTED, SUPPORTED, UNDECIDED, VERDICTS
from gradval.evidence.measurement import Measurement, Part, measure
from gradval.evidence.results import Evidence, RunSetting, checked
from gradval.evidence.verdict import build_scorecard, summarise_verdicts

__all__ = [
    "NOT_RUN",
    "REFUTED",
    "SUPPORTED",
    "UNDECIDED",
    "VERDICTS",
    "Claim",
    "Evidence",
    "Measurement",
    "Part",
    "Rule",
    "RunSetting",
    "Summary",
    "build_scorecard",
    "checked",
    "measure",
    "paired_difference",
    "parse_claims",
    "read_claims",
    "summarise",
    "summarise_share",
    "summarise_verdicts",
]
