"""What a site publishes of its scores: statistics, each charged to its budget before it is drawn.

Every site scores its own data with the shared checkpoints. Raw scores stay there; what leaves is a
report of statistics at an epsilon of the site's own, with the events that its ledger composes with
those of the training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradval.privacy.budget import Budget, digest
from gradval.privacy.events import Events, PrivateTraining, extended
from gradval.privacy.records import read_record
from gradval.privacy.statistics import (
    Kind,
    Publisher,
    Query,
    Relation,
    Unit,
    publication_event,
    unit_values,
)

Bounds = tuple[float, float]
STATISTICS: tuple[Kind, ...] = ("mean", "variance", "quantiles", "histogram", "count")


@dataclass(frozen=True)
class ReportOptions:
    """What every site publishes; public, and the same for all.

    Attributes:
        bounds: score -> public bounds.
        statistics: of each score.
        epsilon: of the whole report, shared evenly by scores and statistics.
        relation, unit: as of `gradval.privacy.statistics.Query`.
        bins: of histograms, of equal width between the bounds.
        threshold: of counts, as a share of the way from the lower bound to the upper one.
        levels: of quantiles.
    """

    bounds: Mapping[str, Bounds]
    statistics: Sequence[Kind] = STATISTICS
    epsilon: float = 1.0
    relation: Relation = "replace"
    unit: Unit = "sample"
    bins: int = 10
    threshold: float = 0.5
    levels: Sequence[float] = (0.25, 0.5, 0.75)


def queries(options: ReportOptions, units: int) -> list[Query]:
    """What is asked of a site.

    Args:
        options: see there.
        units: how many the site has; public unless the relation is `add_remove`.

    Raises:
        ValueError: options do not go together; one line that names the key.
    """
    share = options.epsilon / (len(options.bounds) * len(options.statistics))
    asked = []
    for score, bounds in options.bounds.items():
        edges = np.linspace(*bounds, options.bins + 1)
        low, high = bounds
        points = {
            "histogram": edges[1:-1].tolist(),
            "count": [low + options.threshold * (high - low)],
            "quantiles": np.linspace(low, high, 10 * options.bins + 1).tolist(),
        }
        for statistic in options.statistics:
            content = {
                "score": score,
                "statistic": statistic,
                "bounds": bounds,
                "epsilon": share,
                "relation": options.relation,
                "unit": options.unit,
                "size": units if options.relation == "replace" else None,
                "points": tuple(points.get(statistic, ())),
                "levels": tuple(options.levels) if statistic == "quantiles" else (),
            }
            asked.append(read_record(Query, content, f"{statistic} of {score}"))
    return asked


def publish_report(
    scores: Mapping[str, NDArray[np.floating]],
    groups: Sequence[str],
    options: ReportOptions,
    budget: Budget,
    *,
    source: str,
    again: bool = False,
) -> list[dict[str, Any]]:
    """Draw a site's report, or give the one that was drawn before.

    Args:
        scores: raw scores by name, each `(N,)`.
        groups: `(N,)` of each sample.
        options: what is published.
        budget: of the site, charged before every draw.
        source: names the model that the scores come from.
        again: whether to draw once more, and be charged once more.

    Returns:
        One row a number: score, statistic, key (such as `q0.5` or `bin3`), value, epsilon (of the
        statistic), relation, unit, units (`None` where secret).

    Raises:
        BudgetExceeded: nothing more is drawn.
        ValueError: a score is missing or NaN, or options do not go together.
    """
    units = len(set(groups)) if options.unit == "group" else len(groups)
    rows = []
    for query in queries(options, units):
        if query.score not in scores:
            raise ValueError(f"{query.score} is to be published, but was not computed")
        values = unit_values(scores[query.score], groups, query.unit, query.bounds)
        question = {
            "source": source,
            "data": digest(values.tobytes()),
            **query.model_dump(mode="json"),
        }
        publisher = Publisher(query)

        def draw(publisher: Publisher = publisher, values: Any = values) -> dict[str, float]:
            return publisher.draw(values)

        answer = budget.ask(question, query.epsilon, draw, again=again)
        rows += [
            {
                "score": query.score,
                "statistic": query.statistic,
                "key": key,
                "value": value,
                "epsilon": query.epsilon,
                "relation": query.relation,
                "unit": query.unit,
                "units": query.size,
            }
            for key, value in answer.items()
        ]
    return rows


def report_events(training: Events, options: ReportOptions, units: int) -> Events:
    """What led to a report: the training of the shared model, and every statistic.

    If the training hides samples and the report hides groups, statistics are stated by what they
    cost a sample: to replace one changes one value of a group; so does to remove one, which
    `add_remove`, whose unit is a whole group, counts as one group that goes and one that comes.

    Args:
        training: what was executed on the site's samples.
        options: see there.
        units: samples or groups of the site, as the report hides them.

    Raises:
        ValueError: the training is not private, or hides groups while the report does not.
    """
    if not training.private:
        raise ValueError("statistics can be published from a private run only, and this one is not")
    published = [publication_event(query) for query in queries(options, units)]
    trained = next((e.unit for e in training.events if isinstance(e, PrivateTraining)), None)
    if trained == "sample" and options.unit == "group":
        twice = 2 if options.relation == "add_remove" else 1
        published = [
            event.model_copy(update={"unit": "sample", "epsilon": twice * event.epsilon})
            for event in published
        ]
    return extended(training, *published)
