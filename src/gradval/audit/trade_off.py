"""What a mechanism allows whoever guesses: its trade-off curve, in the form that audits need.

For every set E of outputs, and a sample that is there (P) or not (Q),

    P(E) <= e^a Q(E) + delta_in(a)  and  Q(E) <= e^a P(E) + delta_out(a)

for all a >= 0, where the deltas follow from the privacy loss distributions of what was executed
(dp-accounting; rounded up). Each is a line above the curve of largest P(E) for given Q(E), or the
reverse.

Of several guesses on fair coins let A be the probability, averaged over all coins, to guess one
and be right, and B to be wrong. Who guesses "in" alone has 2 A <= f_in(2 B), who guesses "out"
alone 2 A <= f_out(2 B); who does both has the largest sum of the two for a given sum of the Bs. The
lines of that sum have the same slopes, and the intercepts are added.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gradval.privacy.accountants import Event, Laplace, Pure, SampledGaussian

if TYPE_CHECKING:
    from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution

Floats = NDArray[np.float64]
Side = Literal["both", "in", "out"]

# Slopes e^a of the lines, a >= 0.
_LOSSES = np.concatenate([np.linspace(0, 4, 161), np.linspace(4.1, 30, 260)])
# Grid of the losses. It gives upper bounds; what a claim states uses a finer one.
_INTERVAL = 1e-3
# Steps of the logarithm of the noise, in families of mechanisms.
NOISE_STEP = 0.02


@dataclass(frozen=True)
class TradeOff:
    """The largest A for every B, as the lowest of many lines.

    Attributes:
        slopes, intercepts: `(n,)`, of the lines; slopes are positive.
    """

    slopes: Floats
    intercepts: Floats

    def least_wrong(self, right: float) -> float:
        """The least B with which A can be `right`; larger than 1 if that is impossible."""
        return max(0.0, float(((right - self.intercepts) / self.slopes).max()))


def trade_off(delta_in: Floats, delta_out: Floats, losses: Floats, side: Side) -> TradeOff:
    """The curve of those who guess on one side, or on both.

    Args:
        delta_in, delta_out: `(n,)` at the `losses`, see above.
        losses: `(n,)`, at least 0.
        side: which guesses are made.
    """
    slopes = np.concatenate([np.exp(losses), np.exp(-losses)])
    # A line of one direction is one of the other, seen from the complement of E.
    into = np.concatenate([delta_in, 1 - np.exp(-losses) * (1 - delta_out)])
    out = np.concatenate([delta_out, 1 - np.exp(-losses) * (1 - delta_in)])
    intercepts = {"in": into / 2, "out": out / 2, "both": (into + out) / 2}[side]
    return TradeOff(slopes, intercepts)


@dataclass(frozen=True)
class Mechanism:
    """What was executed, or the same with other noise.

    Attributes:
        events: as claimed.
        weaker: how many steps of `NOISE_STEP` in the logarithm its noise is smaller.
    """

    events: tuple[Event, ...]
    weaker: int = 0

    def trade_off(self, side: Side) -> TradeOff:
        """Its curve."""
        return trade_off(*_deltas(self), _LOSSES, side)

    def epsilon(self, delta: float) -> float:
        """Its epsilon at `delta`, of the worse direction."""
        return float(_losses_of(self).get_epsilon_for_delta(delta))


@cache
def _deltas(mechanism: Mechanism) -> tuple[Floats, Floats]:
    losses = _losses_of(mechanism)
    # Its public function gives the larger of the two only.
    removed, added = (
        np.array([pmf.get_delta_for_epsilon(a) for a in _LOSSES])
        for pmf in (losses._pmf_remove, losses._pmf_add)
    )
    return removed, added


@cache
def _losses_of(mechanism: Mechanism) -> "PrivacyLossDistribution":
    less = np.exp(-NOISE_STEP * mechanism.weaker)
    first, *others = [_losses_of_event(event, float(less)) for event in mechanism.events]
    for other in others:
        first = first.compose(other)
    return first


def _losses_of_event(event: Event, less: float) -> "PrivacyLossDistribution":
    from dp_accounting.pld import common
    from dp_accounting.pld import privacy_loss_distribution as losses

    options: dict[str, Any] = {"value_discretization_interval": _INTERVAL}
    match event:
        case SampledGaussian(rate, noise, _):
            one = losses.from_gaussian_mechanism(noise * less, sampling_prob=rate, **options)
        case Laplace(noise, _):
            one = losses.from_laplace_mechanism(noise * less, **options)
        case Pure(epsilon, _):
            pure = common.DifferentialPrivacyParameters(epsilon / less, 0.0)
            one = losses.from_privacy_parameters(pure, **options)
    return one.self_compose(event.steps)


def mechanism_of(events: Sequence[Event]) -> Mechanism:
    """The claimed mechanism; events without steps cost nothing.

    Raises:
        ValueError: there is none with steps.
    """
    executed = tuple(event for event in events if event.steps)
    if not executed:
        raise ValueError("there is no event with steps to audit")
    return Mechanism(executed)


def with_weaker(mechanism: Mechanism, weaker: int) -> Mechanism:
    """The same with other noise."""
    return replace(mechanism, weaker=weaker)
