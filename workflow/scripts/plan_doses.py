"""Fix rate, steps and noise of the second phase after removals of several sizes."""

from gradval.privacy.plan import (
    phases_from_dict,
    phases_to_dict,
    plan_second_phase,
    removed_count,
)
from gradval.runtime.files import read_json, write_json
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    params = snakemake.params
    first = phases_from_dict(read_json(snakemake.input.plan))["first"]
    plans = {
        dose: plan_second_phase(
            first,
            first.samples - removed_count(first.samples, fraction),
            batch_size=params.schedule["batch_size"],
            epochs=params.schedule["second_epochs"],
            **params.privacy,
        )
        for dose, fraction in params.doses.items()
    }
    write_json(snakemake.output.plan, phases_to_dict(plans))
