"""The privacy plan of trainings whose unit is a group, such as a patient with several images.

A group is sampled as one, with the planned rate. The mean gradient of at most so many of its images
is clipped as one contribution, so that a step's sensitivity to a whole group is the clipping norm.
Hence rate, noise, steps and delta are those of a training whose samples are the groups; the batch
size counts groups, and the fixed denominator is their expected number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gradval.privacy.events import Events, PrivateTraining, extended, training_event
from gradval.privacy.plan import PhasePlan, plan_phases

# Phases of a removal choose samples, which are no groups.
PHASES = ("full", "first")


@dataclass(frozen=True)
class GroupPlan(PhasePlan):
    """What one phase of training executes whose unit is a group.

    Attributes:
        samples: number N of images of all groups together.
        sampling_rate: Poisson sampling rate of groups, expected groups a step / their number.
        steps, noise_multiplier: as in `PhasePlan`; the noise is never `None`.
        groups: number G of groups that are sampled from.
        images_per_group: at most so many images of a group enter its gradient.
    """

    groups: int = 0
    images_per_group: int = 0

    @property
    def expected_batch_size(self) -> float:
        """The fixed denominator of the averaged gradient: the expected number of groups."""
        return self.sampling_rate * self.groups


def plan_group_phases(
    groups: int, samples: int, *, images_per_group: int, delta: float, **options: Any
) -> dict[str, GroupPlan]:
    """Plan the phases of a private training by groups.

    Args:
        groups, samples: how many there are to train on.
        images_per_group: see `GroupPlan`.
        delta: in (0, 1), of the statement about a group.
        options: as in `gradval.privacy.plan.plan_phases`, with a target; sizes count groups.

    Returns:
        `full` and `first` -> plan.

    Raises:
        ValueError: as in `plan_phases`, or delta is not below one over the number of groups.
    """
    if delta >= 1 / groups:
        raise ValueError(
            f"delta is {delta:g}, but must be below 1/{groups}, one over the groups to train on, "
            "or it promises nothing; lower `delta` of the data set"
        )
    phases = plan_phases(groups, delta=delta, **options)
    return {
        name: GroupPlan(
            **vars(phases[name]) | {"samples": samples},
            groups=groups,
            images_per_group=images_per_group,
        )
        for name in PHASES
    }


def plan_from_dict(content: Mapping[str, Any]) -> PhasePlan:
    """A phase as `gradval.privacy.plan.phases_to_dict` wrote it, by groups or not."""
    return GroupPlan(**content) if "groups" in content else PhasePlan(**content)


def group_events(
    plan: GroupPlan, *, name: str, clipping_norm: float, secret: bool = False
) -> Events:
    """What is executed by a training by groups that goes as planned.

    Args:
        plan, name, clipping_norm, secret: as in `gradval.privacy.events.training_event`.

    Raises:
        ValueError: a number is out of range; one line that names it.
    """
    by_group = PhasePlan(plan.groups, plan.sampling_rate, plan.steps, plan.noise_multiplier)
    event = training_event(by_group, name=name, clipping_norm=clipping_norm, secret=secret)
    if not isinstance(event, PrivateTraining):
        raise ValueError(f"phase {name}: without noise nothing is promised to a group")
    return extended(None, event.model_copy(update={"unit": "group"}))
