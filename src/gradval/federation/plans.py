"""What sites and the server agree on before they train together; all of it is public."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from gradval.privacy.plan import PhasePlan
from gradval.runtime.files import read_json, write_json
from gradval.training.recipe import Recipe

Method = Literal["sum", "average"]


@dataclass(frozen=True)
class SumPlan:
    """Every round each site sends a noisy sum of clipped gradients, of which one step is made.

    Attributes:
        sampling_rate: of every sample at every site, in (0, 1].
        steps: rounds at most.
        noise_multiplier: of the sum over `least` sites; 0 for none.
        clipping_norm: L2 norm to which each sample's gradient is clipped.
        least: sites that must answer for a round to make a step.
        batch_size: expected samples of a round over all sites, the fixed denominator.
        sites: how many there are.
    """

    sampling_rate: float
    steps: int
    noise_multiplier: float
    clipping_norm: float
    least: int
    batch_size: float
    sites: int

    @property
    def rounds(self) -> int:
        """In which the sites are asked."""
        return self.steps

    @property
    def steps_a_round(self) -> int:
        """Steps of DP-SGD that a site takes part in when it answers."""
        return 1

    @property
    def share(self) -> float:
        """Standard deviation of the noise of one site."""
        return self.noise_multiplier * self.clipping_norm / math.sqrt(self.least)

    def executed(self, rounds: int, samples: int | None = None) -> PhasePlan:
        """What so many rounds execute: steps on what all sites hold, whichever site one asks for.

        Args:
            rounds: that were asked for.
            samples: of one site; not used, as the sites' samples are drawn and summed together.
        """
        union = round(self.batch_size / self.sampling_rate)
        return _phase(self, union, rounds)


@dataclass(frozen=True)
class AveragePlan:
    """Every round each site takes some steps of DP-SGD on its own; the weights are averaged.

    Each site adds all of the noise itself, so that its guarantee rests on nobody else.

    Attributes:
        sampling_rate: of every sample at every site, in (0, 1].
        rounds: at most.
        local_steps: that a site takes in a round, with momentum that begins at zero.
        noise_multiplier: of a site's own sum; 0 for none.
        clipping_norm: L2 norm to which each sample's gradient is clipped.
        least: sites that must answer for a round to change the weights.
        sizes: samples of each site; public, the weights of the average.
    """

    sampling_rate: float
    rounds: int
    local_steps: int
    noise_multiplier: float
    clipping_norm: float
    least: int
    sizes: tuple[int, ...]

    @property
    def sites(self) -> int:
        """How many there are."""
        return len(self.sizes)

    @property
    def steps_a_round(self) -> int:
        """Steps of DP-SGD that a site takes when it answers."""
        return self.local_steps

    def executed(self, rounds: int, samples: int | None = None) -> PhasePlan:
        """What a site executes in so many rounds.

        Args:
            rounds: that it was asked for.
            samples: of that site; by default of all sites: the guarantee is the same for all, as it
                depends on rate, noise and steps alone.
        """
        return _phase(self, sum(self.sizes) if samples is None else samples, rounds)


Plan = SumPlan | AveragePlan


def _phase(plan: Plan, samples: int, rounds: int) -> PhasePlan:
    noise = plan.noise_multiplier or None
    return PhasePlan(samples, plan.sampling_rate, rounds * plan.steps_a_round, noise)


def plan_for(
    method: Method,
    phase: PhasePlan,
    sizes: tuple[int, ...],
    clipping_norm: float,
    *,
    local_steps: int = 1,
    least: int | None = None,
) -> Plan:
    """The rounds that execute a phase of training as if all sites' samples were in one place.

    Args:
        method: see `SumPlan` and `AveragePlan`.
        phase: planned for the samples of all sites together. With `average` every site executes it
            on its own samples, in whole rounds: at most as many steps.
        sizes: samples of each site.
        clipping_norm: L2 norm to which each sample's gradient is clipped.
        local_steps: of `average`.
        least: sites that must answer; all by default.

    Raises:
        ValueError: a round would have more steps than the phase.
    """
    noise, count = phase.noise_multiplier or 0.0, least or len(sizes)
    rate = phase.sampling_rate
    if method == "sum":
        expected = rate * sum(sizes)
        return SumPlan(rate, phase.steps, noise, clipping_norm, count, expected, len(sizes))
    if local_steps > phase.steps:
        raise ValueError(
            f"federation.local_steps: {local_steps} in a round, but training has {phase.steps}"
        )
    rounds = phase.steps // local_steps
    return AveragePlan(rate, rounds, local_steps, noise, clipping_norm, count, sizes)


@dataclass(frozen=True)
class Job:
    """A training that sites and server agreed on; a file of which each has a copy.

    A site answers for the job that it agreed to and for no other: whoever asks cannot lower its
    noise or raise its rate.

    Attributes:
        model: arguments of `gradval.models.architectures.build_model`.
        plan: how the rounds go.
        recipe: learning rate and schedule, momentum, weight decay, average of weights, checkpoints.
        timeout: seconds that a round waits for answers.
    """

    model: Mapping[str, Any]
    plan: Plan
    recipe: Recipe
    timeout: float = 60.0

    @property
    def digest(self) -> str:
        """SHA-256 of all of it as a hexadecimal string."""
        content = json.dumps(self.as_dict(), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        method = "sum" if isinstance(self.plan, SumPlan) else "average"
        return {
            "model": dict(self.model),
            "method": method,
            "plan": asdict(self.plan),
            "recipe": asdict(self.recipe),
            "timeout": float(self.timeout),
        }


def write_job(path: Path, job: Job) -> None:
    """Write a job as JSON, atomically."""
    write_json(path, job.as_dict())


def read_job(path: Path) -> Job:
    """Read what `write_job` wrote.

    Raises:
        ValueError: the file holds something else; the message names it.
        OSError: it cannot be read.
    """
    content = read_json(path)
    try:
        kinds = {"sum": SumPlan, "average": AveragePlan}
        plan = kinds[content["method"]](**content["plan"])
        if isinstance(plan, AveragePlan):
            plan = AveragePlan(**{**vars(plan), "sizes": tuple(plan.sizes)})
        recipe = Recipe.from_config(content["recipe"])
        return Job(content["model"], plan, recipe, float(content["timeout"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a job of federated training ({error})") from None
