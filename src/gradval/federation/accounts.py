"""What federated training executed on the samples of each site: one accountant a site."""

from collections.abc import Mapping
from pathlib import Path

from gradval.federation.plans import Job
from gradval.privacy.events import Events, extended, training_event
from gradval.privacy.records import read_record
from gradval.runtime.files import read_json, write_json


def executed_events(job: Job, rounds: int, *, samples: int | None = None, secret: bool) -> Events:
    """What so many rounds of a job executed: of the model, or of one site.

    Every round that was asked for counts, whether it made a step or not.

    Args:
        job: as agreed.
        rounds: that were asked for, at least 1.
        samples: of the site; by default what all hold together. With sums it is that in any case.
        secret: whether the keys of the sites come from the operating system's entropy.

    Raises:
        ValueError: a number is out of range; one line that names it.
    """
    event = training_event(
        job.plan.executed(rounds, samples),
        name="full",
        clipping_norm=job.plan.clipping_norm,
        secret=secret and job.plan.noise_multiplier > 0,
    )
    return extended(None, event)


def write_site_events(path: str | Path, executed: Mapping[str, Events]) -> None:
    """Write what was executed on each site's samples as JSON, atomically."""
    write_json(path, {name: events.model_dump(mode="json") for name, events in executed.items()})


def read_site_events(path: str | Path) -> dict[str, Events]:
    """Read what `write_site_events` wrote.

    Raises:
        ValueError: the file holds something else; one line that names it.
    """
    content = read_json(Path(path))
    return {
        name: read_record(Events, events, f"{path}: {name}") for name, events in content.items()
    }
