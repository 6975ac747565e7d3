"""From the plain values of a config to a scenario and to what its training executes."""

from collections.abc import Mapping
from typing import Any

from gradval.federation.sites import Plant, Scenario
from gradval.privacy.accountants import calibrate_noise
from gradval.privacy.plan import PhasePlan, phase_of


def scenario_from(name: str, block: Mapping[str, Any]) -> Scenario:
    """A scenario of a config.

    Args:
        name: its key.
        block: as of `gradval.study.federation.ScenarioBlock`.

    Raises:
        ValueError: a strength is out of range, or parts do not go together.
    """
    planted = {
        int(site.removeprefix("site")): Plant(plant["kind"], plant["strength"])
        for site, plant in block["planted"].items()
    }
    return Scenario(name, block["sites"], block["deal"], block["alpha"], planted)


def federation_phase(
    samples: int, recipe: Mapping[str, Any], privacy: Mapping[str, Any]
) -> PhasePlan:
    """Rate, steps and noise of a training on what all sites hold together.

    A coalition trains at the same rate for as many steps with the same noise: its epsilon is the
    same, as that does not depend on the number of samples.

    Args:
        samples: of all sites.
        recipe: with `batch_size` and `epochs`.
        privacy: `target_epsilon` (`None` without privacy), `delta` and `accountant`.

    Raises:
        ValueError: the target cannot be met, or delta promises nothing.
    """
    phase = phase_of(samples, recipe["batch_size"], recipe["epochs"])
    target, delta = privacy["target_epsilon"], privacy["delta"]
    if target is None:
        return phase
    if delta >= 1 / samples:
        raise ValueError(f"delta is {delta:g}, but must be below 1/{samples}, or promises nothing")
    noise = calibrate_noise(
        lambda noise: [phase.with_noise(noise).event()], target, delta, privacy["accountant"]
    )
    return phase.with_noise(noise)
