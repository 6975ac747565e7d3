"""The privacy plan: sampling rates, steps and noise of every phase, fixed before training starts.

A full run has one phase. A pruned run has two: the `first` phase trains on everyone, the second on
those who are kept. The noise of both phases is solved once, so that a kept sample's composed
epsilon meets the target at the end. The expected batch size stays, so the sampling rate rises when
the set shrinks. The control without removal continues from the same first phase; the noise of its
second phase is solved given the first, so that it too meets the target. So does a second phase
whose samples were chosen by released scores; there the release is composed as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gradval.privacy.accountants import (
    Event,
    Laplace,
    SampledGaussian,
    calibrate_noise,
    epsilon,
)


@dataclass(frozen=True)
class PhasePlan:
    """What one phase of training executes.

    Attributes:
        samples: size N of the set that is sampled from.
        sampling_rate: Poisson sampling rate, expected batch size / N, at most 1.
        steps: number of optimiser steps.
        noise_multiplier: noise standard deviation / clipping norm; `None` without privacy.
    """

    samples: int
    sampling_rate: float
    steps: int
    noise_multiplier: float | None = None

    @property
    def expected_batch_size(self) -> float:
        """The fixed denominator of the averaged gradient."""
        return self.sampling_rate * self.samples

    def with_noise(self, noise_multiplier: float) -> "PhasePlan":
        """The same phase with that noise."""
        return replace(self, noise_multiplier=noise_multiplier)

    def event(self) -> SampledGaussian:
        """The mechanism that the phase executes.

        Raises:
            ValueError: the phase is not private.
        """
        if self.noise_multiplier is None:
            raise ValueError("a phase without noise is not a differentially private event")
        return SampledGaussian(self.sampling_rate, self.noise_multiplier, self.steps)


def phase_of(samples: int, batch_size: int, epochs: float) -> PhasePlan:
    """The phase that passes `epochs` times over `samples` in expectation."""
    sampling_rate = min(1.0, batch_size / samples)
    return PhasePlan(samples, sampling_rate, max(1, round(epochs / sampling_rate)))


def plan_phases(
    samples: int,
    *,
    batch_size: int,
    epochs: float,
    first_epochs: float,
    second_epochs: float,
    removed_fraction: float,
    target_epsilon: float | None,
    delta: float,
    accountant: str = "pld",
    release_epsilon: float | None = None,
    full_release_epsilons: Sequence[float] = (),
) -> dict[str, PhasePlan]:
    """Plan every phase of one data set, model and privacy level.

    Args:
        samples: size of the training split.
        batch_size: expected batch size, of every phase.
        epochs, first_epochs, second_epochs: length of the full run and of the two phases.
        removed_fraction: share of the training split that pruning removes, in (0, 1).
        target_epsilon: `None` for a non-private run.
        delta: in (0, 1); unused by a non-private run.
        accountant: see `gradval.privacy.accountants.epsilon`.
        release_epsilon: pure epsilon of a release of one score between the phases, if there is one.
        full_release_epsilons: pure epsilon of each release of a score from the full run, which
            composes with them to the target.

    Returns:
        `full`, `first`, `second_pruned`, `second_unpruned` and, with a release, `second_released`
        -> plan.

    Raises:
        ValueError: the target cannot be met, or delta is so large that publishing a random sample
            would be private.
    """
    kept = samples - removed_count(samples, removed_fraction)
    phases = {
        "full": phase_of(samples, batch_size, epochs),
        "first": phase_of(samples, batch_size, first_epochs),
        "second_pruned": phase_of(kept, batch_size, second_epochs),
        "second_unpruned": phase_of(samples, batch_size, second_epochs),
    }
    if target_epsilon is None:
        return phases
    if delta >= 1 / samples:
        raise ValueError(
            f"delta is {delta:g}, but must be below 1/{samples}, one over the training images, or "
            "it promises nothing; lower `delta` of the data set"
        )

    def solve(free: list[str], spent: list[Event]) -> None:
        noise = calibrate_noise(
            lambda noise: spent + [phases[name].with_noise(noise).event() for name in free],
            target_epsilon,
            delta,
            accountant,
        )
        phases.update({name: phases[name].with_noise(noise) for name in free})

    solve(["full"], [Laplace(1 / released) for released in full_release_epsilons])
    solve(["first", "second_pruned"], [])
    spent: list[Event] = [phases["first"].event()]
    solve(["second_unpruned"], spent)
    if release_epsilon is not None:
        spent.append(Laplace(1 / release_epsilon))
        before = epsilon(spent, delta, accountant)
        if before >= target_epsilon:
            raise ValueError(
                f"the first phase and a release at epsilon {release_epsilon:g} cost {before:.3g}, "
                f"which leaves nothing of epsilon {target_epsilon:g} for the second phase: "
                "lower release.share or first_epochs"
            )
        phases["second_released"] = phases["second_pruned"]
        solve(["second_released"], spent)
    return phases


def plan_second_phase(
    first: PhasePlan,
    samples: int,
    *,
    batch_size: int,
    epochs: float,
    target_epsilon: float | None,
    delta: float,
    accountant: str = "pld",
) -> PhasePlan:
    """Plan another second phase after a first one that is planned already.

    Args:
        first: the phase before it, whose noise is what it is.
        samples: that are left for the second phase, all of which were in the first.
        batch_size, epochs: of the second phase.
        target_epsilon, delta, accountant: as in `plan_phases`, of both phases together.

    Raises:
        ValueError: the target cannot be met any more.
    """
    phase = phase_of(samples, batch_size, epochs)
    if target_epsilon is None:
        return phase
    noise = calibrate_noise(
        lambda noise: [first.event(), phase.with_noise(noise).event()],
        target_epsilon,
        delta,
        accountant,
    )
    return phase.with_noise(noise)


def removed_count(samples: int, fraction: float) -> int:
    """How many of `samples` a removal of `fraction` takes away (rounded down)."""
    return int(samples * fraction)


def phases_to_dict(phases: Mapping[str, PhasePlan]) -> dict[str, dict[str, Any]]:
    """Plain numbers, for a JSON file."""
    return {name: vars(phase) for name, phase in phases.items()}


def phases_from_dict(content: Mapping[str, Mapping[str, Any]]) -> dict[str, PhasePlan]:
    """The inverse of `phases_to_dict`."""
    return {name: PhasePlan(**values) for name, values in content.items()}
