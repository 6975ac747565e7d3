"""Statistics of many scores, published under pure differential privacy through OpenDP.

A `Query` states everything that is public beforehand: bounds, bins, candidates, whose contribution
is hidden (`unit`), and what neighbouring data sets are (`relation`). With `replace` the number N of
units is public and one of them may be any other; with `add_remove` N is secret and one may be
missing. Sensitivities, w = high - low, of values clipped to the bounds:

| statistic | replace | add_remove |
| --- | --- | --- |
| mean | w / N | w / 2 of the sum about the middle, 1 of the count |
| variance | w^2 / N | w / 2 and w^2 / 8 of the sums of values and squares, 1 of the count |
| histogram | 2 | 1 |
| count above a threshold | 1 | 1 |
| quantiles | of the candidates' scores, as OpenDP certifies it | |

What `add_remove` measures several times shares epsilon evenly; so do several quantiles.

OpenDP is silent about much that voids a guarantee, so it is seen to here: the distance between
neighbours is stated for each domain (a sized one calls a distance of 1 free); the number of values
is checked (a sized domain does not); values are clipped and NaN refused; candidates and edges must
ascend. Queries are for raw scores: those normalised by class depend on other samples.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from gradval.privacy.events import Bound, Name, Publication
from gradval.privacy.records import Record, read_record

if TYPE_CHECKING:
    from opendp.mod import Measurement, Transformation

Values = NDArray[np.float64]
Kind = Literal["mean", "variance", "quantiles", "histogram", "count"]
Relation = Literal["replace", "add_remove"]
Unit = Literal["sample", "group"]
Points = Annotated[tuple[Bound, ...], Field(max_length=1000)]
# What stands for 1 in sums of whole numbers; those of 10^9 values stay far below 2^63.
_GRID = 2**20
# What distance OpenDP's symmetric metric gives to neighbouring data sets.
DISTANCE: Mapping[str, int] = {"replace": 2, "add_remove": 1}


class Query(Record):
    """What is asked of the scores of one site; all of it public.

    Attributes:
        score: its name, for people.
        statistic: mean, variance, quantiles, histogram or count (above a threshold).
        bounds: low < high, to which scores are clipped.
        epsilon: of the whole query, pure.
        relation: see above.
        unit: whose contribution is hidden; of a group, such as a patient, the mean of its clipped
            scores is one value.
        size: number N of units; given with `replace`, and only with it.
        points: ascending; inner edges of a histogram's bins, `(threshold,)` of a count, candidates
            of quantiles.
        levels: of quantiles, each in [0, 1].
    """

    score: Name
    statistic: Kind
    bounds: tuple[Bound, Bound]
    epsilon: Annotated[float, Field(strict=True, gt=0, le=1e4)]
    relation: Relation
    unit: Unit = "sample"
    size: Annotated[int, Field(strict=True, ge=2, le=10**9)] | None = None
    points: Points = ()
    levels: Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _check(self) -> "Query":
        if not self.bounds[0] < self.bounds[1]:
            raise ValueError(f"bounds must be low < high, got {list(self.bounds)}")
        if (self.size is None) == (self.relation == "replace"):
            raise ValueError("size must be given with relation replace, and only then")
        if list(self.points) != sorted(set(self.points)):
            raise ValueError(f"points must ascend, got {list(self.points)}")
        needed = {"histogram": 1, "count": 1, "quantiles": 2}.get(self.statistic, 0)
        if len(self.points) < needed or (self.statistic == "count" and len(self.points) > 1):
            raise ValueError(f"a {self.statistic} needs {needed} points, got {len(self.points)}")
        if bool(self.levels) != (self.statistic == "quantiles"):
            raise ValueError("levels must be given for quantiles, and only for them")
        return self

    @property
    def width(self) -> float:
        """Of the bounds."""
        return self.bounds[1] - self.bounds[0]


def publication_event(query: Query) -> Publication:
    """What is executed when a query is answered.

    Raises:
        ValueError: a number is out of range; one line that names it.
    """
    what = f"{query.statistic} of {query.score}"
    return read_record(
        Publication,
        {
            "phase": what,
            "score": query.score,
            "statistic": query.statistic,
            "unit": query.unit,
            "relation": query.relation,
            "samples": query.size,
            "epsilon": query.epsilon,
            "libraries": {"opendp": version("opendp")},
        },
        what,
    )


@dataclass(frozen=True)
class Part:
    """One measurement of a query.

    Attributes:
        prepare: maps clipped values to the numbers that `aggregate` takes.
        aggregate: OpenDP's exact aggregate; `None` where it is one with its noise.
        mechanism: aggregate and noise, of the stated epsilon.
        noise: maps an aggregate to a noisy one; draws from the operating system's entropy.
    """

    prepare: Callable[[Values], list[Any]]
    mechanism: "Measurement"
    aggregate: "Transformation | None" = None
    noise: "Measurement | None" = None


class Publisher:
    """A query, ready to be answered, in the same way for every site.

    Args:
        query: what is asked.

    Raises:
        ValueError: OpenDP cannot certify its epsilon.
    """

    def __init__(self, query: Query) -> None:
        self.query = query
        build = {
            "mean": _moments,
            "variance": _moments,
            "quantiles": _quantiles,
            "histogram": _histogram,
            "count": _count,
        }[query.statistic]
        self.parts: list[Part] = build(query)

    @property
    def epsilon(self) -> float:
        """What OpenDP certifies for neighbouring data sets; at most the query's."""
        distance = DISTANCE[self.query.relation]
        return math.fsum(float(part.mechanism.map(distance)) for part in self.parts)

    def draw(self, values: ArrayLike) -> dict[str, float]:
        """Answer the query with fresh noise: every call costs its epsilon.

        Args:
            values: `(N,)` of the units (`unit_values`).

        Raises:
            ValueError: a value is NaN, or their number is not the query's size.
        """
        clipped = self._clipped(values)
        return self._combine([part.mechanism(part.prepare(clipped)) for part in self.parts])

    def draws(self, values: ArrayLike, count: int) -> list[dict[str, float]]:
        """As many answers, aggregated once, for studies of the noise; each costs epsilon.

        Raises:
            ValueError: as in `draw`.
        """
        clipped = self._clipped(values)
        columns = []
        for part in self.parts:
            if part.aggregate is None or part.noise is None:
                draw = partial(part.mechanism, part.prepare(clipped))
            else:
                draw = partial(part.noise, part.aggregate(part.prepare(clipped)))
            columns.append([draw() for _ in range(count)])
        return [self._combine(list(row)) for row in zip(*columns, strict=True)]

    def exact(self, values: ArrayLike) -> dict[str, float]:
        """The same statistic of the clipped values without noise: not private."""
        clipped = self._clipped(values)
        query = self.query
        match query.statistic:
            case "mean":
                return {"mean": float(clipped.mean())}
            case "variance":
                return {"variance": float(clipped.var(ddof=1 if query.size else 0))}
            case "histogram":
                bins = np.digitize(clipped, query.points)
                counts = np.bincount(bins, minlength=len(query.points) + 1)
                return _numbered("bin", counts)
            case "count":
                return {"count": float((clipped > query.points[0]).sum())}
            case "quantiles":
                found = np.quantile(clipped, query.levels, method="inverted_cdf")
                return {
                    f"q{level:g}": float(v) for level, v in zip(query.levels, found, strict=True)
                }

    def _clipped(self, values: ArrayLike) -> Values:
        array = np.asarray(values, dtype=np.float64)
        if array.ndim != 1:
            raise ValueError(f"values must be a vector (N,), got shape {array.shape}")
        if np.isnan(array).any():
            raise ValueError(f"value {int(np.flatnonzero(np.isnan(array))[0])} is NaN")
        if self.query.size not in (None, len(array)):
            raise ValueError(f"{len(array)} values, but the query is for {self.query.size}")
        return np.clip(array, *self.query.bounds)

    def _combine(self, measured: list[Any]) -> dict[str, float]:
        query = self.query
        match query.statistic:
            case "mean" if query.size is None:
                middle, half = _middle(query)
                count, total = measured
                return {"mean": middle + half * _ratio(total, count)}
            case "variance" if query.size is None:
                _, half = _middle(query)
                count, total, squares = measured
                square = (1 + _ratio(squares, count)) / 2
                return {"variance": half**2 * max(0.0, square - _ratio(total, count) ** 2)}
            case "mean" | "variance" | "count":
                return {query.statistic: float(measured[0])}
            case "histogram":
                return _numbered("bin", measured[0])
            case _:
                pairs = zip(query.levels, measured, strict=True)
                return {f"q{level:g}": float(value) for level, value in pairs}


def unit_values(
    scores: ArrayLike, groups: Sequence[str], unit: str, bounds: tuple[float, float]
) -> Values:
    """One value a unit: the clipped scores themselves, or the mean of those of each group.

    Args:
        scores: `(N,)`.
        groups: of each sample.
        unit: `sample` or `group`.
        bounds: to which scores are clipped.

    Returns:
        `(units,)`, in the order of the samples or of the names of the groups; NaN stays NaN.
    """
    clipped = np.clip(np.asarray(scores, dtype=np.float64), *bounds)
    if unit == "sample":
        return clipped
    _, inverse, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    return np.bincount(inverse, weights=clipped) / counts


def _prelude() -> Any:
    # Imported here: it takes time, and most who import this module publish nothing.
    import opendp.prelude as dp

    dp.enable_features("contrib")
    return dp


def _space(dp: Any, kind: type, size: int | None) -> Any:
    atoms = dp.atom_domain(T=float, nan=False) if kind is float else dp.atom_domain(T=kind)
    return dp.vector_domain(atoms, size=size), dp.symmetric_distance()


def _moments(query: Query) -> list[Part]:
    dp = _prelude()
    low, high = query.bounds
    if query.size is not None:
        sized = _space(dp, float, query.size) >> dp.t.then_clamp((low, high))
        last = dp.t.then_mean() if query.statistic == "mean" else dp.t.then_variance()
        return [_laplace(dp, sized >> last, query, query.epsilon, np.ndarray.tolist)]
    middle, half = _middle(query)
    orders = (0, 1) if query.statistic == "mean" else (0, 1, 2)
    return [
        _power_sum(dp, query, order, middle, half, query.epsilon / len(orders)) for order in orders
    ]


def _power_sum(
    dp: Any, query: Query, order: int, middle: float, half: float, epsilon: float
) -> Part:
    """The count, the sum about the middle, or the sum of squares about their own middle.

    In whole numbers, `_GRID` for the largest: OpenDP certifies twice the sensitivity for sums of
    floats.
    """
    if order == 0:
        counted = _space(dp, float, None) >> dp.t.then_count()
        return _laplace(dp, counted, query, epsilon, np.ndarray.tolist)

    def centred(values: Values) -> list[int]:
        about = (values - middle) / half
        scaled = about if order == 1 else 2 * about**2 - 1
        return np.rint(np.clip(scaled, -1, 1) * _GRID).astype(int).tolist()  # type: ignore[no-any-return]

    summed = _space(dp, int, None) >> dp.t.then_clamp((-_GRID, _GRID)) >> dp.t.then_sum()
    return _laplace(dp, summed, query, epsilon, centred)


def _histogram(query: Query) -> list[Part]:
    dp = _prelude()
    bins = list(range(len(query.points) + 1))
    counted = (
        _space(dp, float, None)
        >> dp.t.then_find_bin(list(query.points))
        >> dp.t.then_count_by_categories(bins, null_category=False)
    )
    return [_laplace(dp, counted, query, query.epsilon, np.ndarray.tolist)]


def _count(query: Query) -> list[Part]:
    dp = _prelude()
    # Sized where it may be: of N indicators one changes by 1, while to take one away and add
    # another could change the sum by 2.
    counted = _space(dp, int, query.size) >> dp.t.then_clamp((0, 1)) >> dp.t.then_sum()
    threshold = query.points[0]

    def above(values: Values) -> list[int]:
        return (values > threshold).astype(int).tolist()  # type: ignore[no-any-return]

    return [_laplace(dp, counted, query, query.epsilon, above)]


def _quantiles(query: Query) -> list[Part]:
    dp = _prelude()
    share = query.epsilon / len(query.levels)

    def make(level: float, scale: float) -> Any:
        return _space(dp, float, None) >> dp.m.then_private_quantile(
            dp.max_divergence(), candidates=list(query.points), alpha=level, scale=scale
        )

    return [
        Part(np.ndarray.tolist, _calibrated(partial(make, level), query, share))
        for level in query.levels
    ]


def _laplace(
    dp: Any,
    aggregate: "Transformation",
    query: Query,
    epsilon: float,
    prepare: Callable[[Values], list[Any]],
) -> Part:
    def make(scale: float) -> Any:
        return aggregate >> dp.m.then_laplace(scale=scale)

    scale = _scale_of(make, query, epsilon)
    noise = (aggregate.output_domain, aggregate.output_metric) >> dp.m.then_laplace(scale=scale)
    return Part(prepare, make(scale), aggregate, noise)


def _scale_of(make: Callable[[float], Any], query: Query, epsilon: float) -> float:
    """The least scale, to a billionth, at which neighbours cost at most epsilon."""
    distance = DISTANCE[query.relation]
    at_one = float(make(1.0).map(distance))
    if not 0 < at_one < math.inf:
        raise ValueError(f"OpenDP certifies no epsilon for {query.statistic} of {query.score}")
    scale = at_one / epsilon
    while make(scale).map(distance) > epsilon:
        scale *= 1 + 1e-9
    return scale


def _calibrated(make: Callable[[float], Any], query: Query, epsilon: float) -> "Measurement":
    measurement: Measurement = make(_scale_of(make, query, epsilon))
    return measurement


def _middle(query: Query) -> tuple[float, float]:
    low, high = query.bounds
    return (low + high) / 2, (high - low) / 2


def _ratio(total: float, count: float) -> float:
    """A noisy mean of numbers from -1 to 1, kept within what it can be."""
    return min(max(total / _GRID / max(count, 1), -1.0), 1.0)


def _numbered(name: str, values: Any) -> dict[str, float]:
    return {f"{name}{number}": float(value) for number, value in enumerate(values)}
