"""Dealing one split of a data set out to several sites: disjoint, and complete.

Every function returns one array a site, ascending int64 positions, which together are `0..N-1`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]
# Of Dirichlet shares, until every site holds something.
_DRAWS = 1000


def deal_evenly(count: int, sites: int, rng: np.random.Generator) -> list[Positions]:
    """Samples at random, in parts whose sizes differ by at most one.

    Raises:
        ValueError: there are fewer samples than sites.
    """
    _check(sites, count, "samples")
    return [np.sort(part) for part in np.array_split(rng.permutation(count), sites)]


def deal_by_dirichlet(
    labels: NDArray[np.int64], sites: int, alpha: float, rng: np.random.Generator
) -> list[Positions]:
    """Label skew: of each class the sites get shares drawn from Dirichlet(alpha) (Hsu et al. 2019).

    Args:
        labels: `(N,)` integers.
        sites: how many.
        alpha: > 0; large for equal shares, small for classes that one site holds alone.
        rng: of the shares, and of who gets which samples.

    Raises:
        ValueError: alpha is not positive; or some site gets nothing, however often it is drawn.
    """
    _check(sites, len(labels), "samples")
    if not alpha > 0:
        raise ValueError(f"alpha of a Dirichlet split must be positive, got {alpha}")
    for _ in range(_DRAWS):
        site_of = np.empty(len(labels), np.int64)
        for label in np.unique(labels):
            members = rng.permutation(np.flatnonzero(labels == label))
            ends = np.cumsum(rng.dirichlet(np.full(sites, alpha)))[:-1]
            site_of[members] = np.searchsorted(
                ends, (np.arange(len(members)) + 0.5) / len(members), side="right"
            )
        if len(np.unique(site_of)) == sites:
            return _parts(site_of, sites)
    raise ValueError(
        f"alpha {alpha:g} leaves some of {sites} sites without any sample: raise it or lower sites"
    )


def deal_by_class(
    labels: NDArray[np.int64], sites: int, rng: np.random.Generator
) -> list[Positions]:
    """Whole classes in a random order, one site after another.

    Raises:
        ValueError: there are fewer classes than sites.
    """
    return _deal_whole(labels, sites, rng, "classes")


def deal_by_group(groups: Sequence[str], sites: int, rng: np.random.Generator) -> list[Positions]:
    """Whole groups (patients), each to whoever holds least so far, the largest groups first.

    Raises:
        ValueError: there are fewer groups than sites.
    """
    names, inverse, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    _check(sites, len(names), "groups")
    held = np.zeros(sites, np.int64)
    site_of_name = np.empty(len(names), np.int64)
    # At random among groups of one size.
    for name in np.lexsort((rng.permutation(len(names)), -counts)):
        site_of_name[name] = held.argmin()
        held[site_of_name[name]] += counts[name]
    return _parts(site_of_name[inverse], sites)


def deal_by_value(values: Sequence[str], sites: int, what: str) -> list[Positions]:
    """A site for each value, in their order.

    Args:
        values: of each sample, such as its folder.
        sites: how many are expected.
        what: the values are, for messages.

    Raises:
        ValueError: there is another number of values.
    """
    names, inverse = np.unique(np.asarray(values), return_inverse=True)
    if len(names) != sites:
        shown = ", ".join(map(str, names[:5])) + (", ..." if len(names) > 5 else "")
        raise ValueError(f"{sites} sites, but there are {len(names)} {what}: {shown}")
    return _parts(inverse.astype(np.int64), sites)


def _deal_whole(
    values: NDArray[np.int64], sites: int, rng: np.random.Generator, what: str
) -> list[Positions]:
    names, inverse = np.unique(values, return_inverse=True)
    _check(sites, len(names), what)
    return _parts(rng.permutation(len(names))[inverse] % sites, sites)


def _parts(site_of: NDArray[np.int64], sites: int) -> list[Positions]:
    return [np.flatnonzero(site_of == site).astype(np.int64) for site in range(sites)]


def _check(sites: int, count: int, what: str) -> None:
    if not 1 <= sites <= count:
        raise ValueError(f"{count} {what} cannot be dealt out to {sites} sites")
