"""Epsilon of the mechanisms that are executed, and the noise that meets a target.

Neighbouring relation: add or remove one sample. DP-SGD with Poisson sampling at rate q, clipping
to norm C and Gaussian noise of standard deviation sigma * C on the sum of clipped gradients is,
step by step, the event `PoissonSampled(q, Gaussian(sigma))` (Abadi et al., 2016). A sample's
released score is one Laplace event (`gradval.privacy.release`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dp_accounting

# The accounting libraries take seconds to import, and many readers of ledgers compute nothing:
# they are imported where they are used.

NEIGHBOURING_RELATION = "add or remove one sample"
# Integer orders have a closed form; fractional ones near 1 do not converge at high sampling rates.
_RDP_ORDERS = [*range(2, 64), *(2**k for k in range(6, 13))]
# Grids of `pld`: what is stated uses the finer one. Both give upper bounds; the coarser is up to
# nine times faster and hardly looser, unless the loss of a step is small beside its interval.
_PLD_INTERVAL, _PLD_SEARCH_INTERVAL = 1e-4, 1e-3
# Range of the search for a noise multiplier and its relative tolerance.
_MIN_NOISE, _MAX_NOISE = 0.1, 1000.0
_NOISE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class SampledGaussian:
    """`steps` rounds of one Poisson-subsampled Gaussian mechanism.

    Attributes:
        sampling_rate: probability with which each sample enters a round, in (0, 1].
        noise_multiplier: standard deviation of the noise divided by the clipping norm, > 0.
        steps: number of rounds, >= 0.
    """

    sampling_rate: float
    noise_multiplier: float
    steps: int

    def __post_init__(self) -> None:
        if not 0 < self.sampling_rate <= 1:
            raise ValueError(f"sampling_rate must be in (0, 1], got {self.sampling_rate}")
        _check_noise(self.noise_multiplier, self.steps)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for a JSON file."""
        return asdict(self)

    def to_dp_event(self) -> "dp_accounting.DpEvent":
        """The same as an event of dp-accounting."""
        import dp_accounting

        gaussian = dp_accounting.GaussianDpEvent(self.noise_multiplier)
        sampled = dp_accounting.PoissonSampledDpEvent(self.sampling_rate, gaussian)
        return dp_accounting.SelfComposedDpEvent(sampled, self.steps)


@dataclass(frozen=True)
class Laplace:
    """`steps` releases by the Laplace mechanism, each pure 1 / `noise_multiplier`-DP.

    Attributes:
        noise_multiplier: scale of the noise divided by the sensitivity, > 0.
        steps: number of releases, >= 0.
    """

    noise_multiplier: float
    steps: int = 1

    def __post_init__(self) -> None:
        _check_noise(self.noise_multiplier, self.steps)

    @property
    def pure_epsilon(self) -> float:
        """Epsilon at delta = 0."""
        return self.steps / self.noise_multiplier

    def to_dp_event(self) -> "dp_accounting.DpEvent":
        """The same as an event of dp-accounting."""
        import dp_accounting

        laplace = dp_accounting.LaplaceDpEvent(self.noise_multiplier)
        return dp_accounting.SelfComposedDpEvent(laplace, self.steps)


@dataclass(frozen=True)
class Pure:
    """Something that is pure epsilon-differentially private, however it is done.

    Attributes:
        epsilon: at delta = 0, > 0.
        steps: how often it is done, >= 0.
    """

    epsilon: float
    steps: int = 1

    def __post_init__(self) -> None:
        if not self.epsilon > 0:
            raise ValueError(f"epsilon must be positive, got {self.epsilon}")
        _check_noise(1.0, self.steps)


# What accountants compose; `Pure` is added to it.
Composed = SampledGaussian | Laplace
Event = Composed | Pure


def _check_noise(noise_multiplier: float, steps: int) -> None:
    if not noise_multiplier > 0:
        raise ValueError(f"noise_multiplier must be positive, got {noise_multiplier}")
    if steps < 0:
        raise ValueError(f"steps must not be negative, got {steps}")


def _pld_epsilon(
    events: Sequence[Composed], delta: float, interval: float = _PLD_INTERVAL
) -> float:
    from dp_accounting import NeighboringRelation, pld

    relation = NeighboringRelation.ADD_OR_REMOVE_ONE
    accountant = pld.PLDAccountant(relation, value_discretization_interval=interval)
    for event in events:
        accountant.compose(event.to_dp_event())
    return float(accountant.get_epsilon(delta))


def _rdp_epsilon(events: Sequence[Composed], delta: float) -> float:
    from dp_accounting import NeighboringRelation, rdp

    accountant = rdp.RdpAccountant(_RDP_ORDERS, NeighboringRelation.ADD_OR_REMOVE_ONE)
    for event in events:
        accountant.compose(event.to_dp_event())
    return float(accountant.get_epsilon(delta))


def _prv_epsilon(events: Sequence[Composed], delta: float) -> float:
    from opacus.accountants import PRVAccountant

    gaussians = [event for event in events if isinstance(event, SampledGaussian)]
    accountant = PRVAccountant()
    accountant.history = [(e.noise_multiplier, e.sampling_rate, e.steps) for e in gaussians]
    # It knows no Laplace noise, whose privacy loss never exceeds its pure epsilon: that is added.
    pure = sum(event.pure_epsilon for event in events if isinstance(event, Laplace))
    return pure + (float(accountant.get_epsilon(delta)) if gaussians else 0.0)


ACCOUNTANTS: dict[str, Callable[[Sequence[Composed], float], float]] = {
    "pld": _pld_epsilon,
    "rdp": _rdp_epsilon,
    "prv": _prv_epsilon,
}


def epsilon(events: Sequence[Event], delta: float, accountant: str = "pld") -> float:
    """Epsilon of the composition of `events` at `delta`.

    Args:
        events: what was executed, in any order; those with zero steps cost nothing.
        delta: in (0, 1).
        accountant: `pld` (privacy loss distributions, dp-accounting; tight), `rdp` (Renyi,
            dp-accounting; an upper bound) or `prv` (Opacus; the pure epsilon of Laplace events is
            added to it).

    Raises:
        ValueError: unknown accountant, or delta outside (0, 1).
    """
    if accountant not in ACCOUNTANTS:
        raise ValueError(f"unknown accountant {accountant!r}; known are {', '.join(ACCOUNTANTS)}")
    if not 0 < delta < 1:
        raise ValueError(f"delta must be in (0, 1), got {delta}")
    executed = tuple(event for event in events if event.steps)
    return _composed(executed, delta, accountant) if executed else 0.0


@cache
def _composed(events: tuple[Event, ...], delta: float, accountant: str) -> float:
    # Cached: the runs of one job often execute the same events.
    return _with_pure(events, lambda others: ACCOUNTANTS[accountant](others, delta))


def _with_pure(events: Sequence[Event], account: Callable[[Sequence[Composed]], float]) -> float:
    """Of what is known to be pure and no more, epsilons are added to what the others cost."""
    pure = math.fsum(event.epsilon * event.steps for event in events if isinstance(event, Pure))
    others = [event for event in events if not isinstance(event, Pure)]
    return pure + (account(others) if others else 0.0)


def calibrate_noise(
    make_events: Callable[[float], Sequence[Event]],
    target_epsilon: float,
    delta: float,
    accountant: str = "pld",
) -> float:
    """The smallest noise multiplier (to 0.02%, rounded up) that meets a target epsilon.

    Args:
        make_events: all events as a function of the noise multiplier sought.
        target_epsilon: > 0.
        delta: in (0, 1).
        accountant: see `epsilon`.

    Returns:
        A noise multiplier of at least 0.1 at which
        `epsilon(make_events(noise), delta) <= target_epsilon`.

    Raises:
        ValueError: the target needs a noise multiplier above 1000.
    """

    def account(events: Sequence[Event]) -> float:
        return epsilon(events, delta, accountant)

    def coarse(events: Sequence[Event]) -> float:
        return _with_pure(events, lambda others: _pld_epsilon(others, delta, _PLD_SEARCH_INTERVAL))

    stated = _log_excess(make_events, target_epsilon, account)
    quick = stated if accountant != "pld" else _log_excess(make_events, target_epsilon, coarse)
    root = _smallest_noise(quick)
    if root is None or not 0 <= quick(root) - stated(root) <= _NOISE_TOLERANCE:
        # The coarser grid is too loose here, as it is for the small losses of much noise.
        root = _smallest_noise(stated)
    if root is None:
        raise ValueError(
            f"epsilon {target_epsilon} at delta {delta} needs a noise multiplier above "
            f"{_MAX_NOISE:.0f}: train for fewer steps or with smaller batches"
        )
    return math.exp(root)


def _log_excess(
    make_events: Callable[[float], Sequence[Event]],
    target_epsilon: float,
    account: Callable[[Sequence[Event]], float],
) -> Callable[[float], float]:
    """log(epsilon / target) as a function of log(noise), which is almost a line."""

    @cache
    def excess(log_noise: float) -> float:
        value = account(make_events(math.exp(log_noise)))
        return math.log(value / target_epsilon) if value > 0 else -math.inf

    return excess


def _smallest_noise(excess: Callable[[float], float]) -> float | None:
    """Logarithm of the noise at which there is no excess any more; `None` if it is too large."""
    from scipy.optimize import brentq

    low, high = 0.0, math.log(2)
    while excess(high) > 0:
        low, high = high, 2 * high
        if math.exp(high) > _MAX_NOISE:
            return None
    least = math.log(_MIN_NOISE)
    while excess(low) <= 0:
        if low == least:
            return least
        low, high = max(low - math.log(1.5), least), low
    root = float(brentq(excess, low, high, xtol=_NOISE_TOLERANCE))
    while excess(root) > 0:
        root += _NOISE_TOLERANCE
    return root
