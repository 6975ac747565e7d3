"""What a site's report and the training promise together: to a sample, to a group, against whom.

A report may hide whole groups (patients) although the training hides samples. Then the ledger is of
what both hide, a sample; and for a group the training promises less, which is computed here: of the
m samples of a group each enters a step by itself, so that the group moves the sum by up to as many
clipping norms as were drawn, a mixture of Gaussians with binomial weights (Ganesh 2024, "Tight
group-level DP guarantees for DP-SGD with sampling via mixture of Gaussians mechanisms").
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from gradval.federation.reports import ReportOptions, report_events
from gradval.privacy.accountants import SampledGaussian
from gradval.privacy.events import Events, PrivateTraining
from gradval.privacy.ledger import compose

# Whom a site trusts, by how the shared model was trained.
TRUST: Mapping[str, str] = {
    "central": "whoever trained on all data in one place",
    "sum": "the aggregator, or the secure aggregation in its place",
    "average": "nobody but itself",
}
NOTES: Mapping[str, str] = {
    "central": "The model was trained on the data of all sites in one place.",
    "sum": "Epsilon holds for the sums that come out of a trusted or secure aggregator. Who sees "
    "the sum of one site sees it with that site's share of the noise alone.",
    "average": "Epsilon holds against everybody who sees what the site sends, the server too: each "
    "site adds all of the noise itself.",
}
# Coarser than for the claims of ledgers, and the coarser the larger a group, as then losses are
# large. It only rounds epsilon up.
_INTERVAL = 1e-3


def group_epsilon(training: PrivateTraining, members: int, delta: float) -> float:
    """Epsilon of DP-SGD on samples for a group of them: add or remove the whole group.

    Args:
        training: whose unit is the sample.
        members: most samples of a group, >= 1; public.
        delta: in (0, 1).
    """
    return _group_epsilon(training.accounted(), members, delta)


@cache
def _group_epsilon(training: SampledGaussian, members: int, delta: float) -> float:
    # Cached: sites often have groups of the same size.
    from dp_accounting import NeighboringRelation, SelfComposedDpEvent
    from dp_accounting.dp_event import MixtureOfGaussiansDpEvent
    from dp_accounting.pld import PLDAccountant

    drawn = np.arange(members + 1)
    weights = binom.pmf(drawn, members, training.sampling_rate)
    step = MixtureOfGaussiansDpEvent(
        training.noise_multiplier, drawn.tolist(), (weights / weights.sum()).tolist()
    )
    accountant = PLDAccountant(
        NeighboringRelation.ADD_OR_REMOVE_ONE, value_discretization_interval=_INTERVAL * members
    )
    accountant.compose(SelfComposedDpEvent(step, training.steps))
    return float(accountant.get_epsilon(delta))


def site_ledger(
    training: Events,
    options: ReportOptions,
    units: int,
    *,
    delta: float,
    accountants: Sequence[str],
    trained: str,
) -> dict[str, Any]:
    """The ledger of a site: the training on its samples, its report, and whom it trusts.

    Args:
        training: what was executed on its samples.
        options: of the report.
        units: samples or groups, as the report hides them.
        delta, accountants: as in `gradval.privacy.ledger.compose`.
        trained: `central`, `sum` or `average`.

    Raises:
        ValueError: as `report_events`.
    """
    executed = report_events(training, options, units)
    ledger = compose(executed, delta=delta, target_epsilon=None, accountants=accountants)
    return ledger | {"notes": [*ledger["notes"], NOTES[trained]]}


def guarantees(
    training: Events,
    options: ReportOptions,
    groups: Sequence[str],
    ledger: Mapping[str, Any],
    *,
    trained: str,
) -> list[dict[str, Any]]:
    """What a site's training and report cost a sample, and a group if the report hides groups.

    Args:
        training, options, trained: as in `site_ledger`.
        groups: of each of its samples.
        ledger: of the site.

    Returns:
        One row a unit: hides, members (most samples of it), training, report and together
        (epsilons), delta, trusts.
    """
    event = next(e for e in training.events if isinstance(e, PrivateTraining))
    together = ledger["groups"][0]["epsilon"][ledger["accountant"]]
    published = sum(e["epsilon"] for e in ledger["events"] if e["mechanism"] == "pure")
    known = {"delta": ledger["delta"], "trusts": TRUST[trained]}
    rows = [_row(event.unit, 1, together - published, published) | known]
    if options.unit == "group" and event.unit == "sample":
        members = int(pd.Series(list(groups)).value_counts().max())
        trained_epsilon = group_epsilon(event, members, ledger["delta"])
        rows.append(_row("group", members, trained_epsilon, options.epsilon) | known)
    return rows


def _row(hides: str, members: int, training: float, report: float) -> dict[str, Any]:
    return {
        "hides": hides,
        "members": members,
        "training": training,
        "report": report,
        "together": training + report,
    }
