"""What Flower's records hold: the plan as plain numbers, and where a site's data lie."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from gradval.federation.rounds import SumPlan


def plan_record(plan: SumPlan) -> dict[str, Any]:
    """A plan as the plain numbers of a ConfigRecord."""
    return asdict(plan)


def plan_from(config: Mapping[str, Any]) -> SumPlan:
    """The inverse of `plan_record`; other keys are left out."""
    return SumPlan(**{field.name: config[field.name] for field in fields(SumPlan)})


def site_folder(context: Any) -> Path:
    """The folder of a node: its own setting `data`, or the one of its number below `sites`."""
    if folder := context.node_config.get("data"):
        return Path(str(folder))
    return Path(str(context.run_config["sites"]), f"site{context.node_config['partition-id']}")
