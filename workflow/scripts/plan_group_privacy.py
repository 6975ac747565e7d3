"""Fix sampling rates, steps and noise of trainings whose unit is a group of images."""

from gradval.privacy.group_plan import plan_group_phases
from gradval.privacy.plan import phases_to_dict, plan_phases
from gradval.runtime.files import read_json, write_json
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    params = snakemake.params
    dataset = read_json(snakemake.input.dataset)
    images = dataset["images"]["train"]
    options = params.schedule | params.privacy | {"removed_fraction": params.removed_fraction}
    options["full_release_epsilons"] = params.get("full_release_epsilons", ())
    if params.privacy["target_epsilon"] is None:
        # Without privacy there is nobody whose contribution is bounded.
        phases = plan_phases(images, **options)
    else:
        phases = plan_group_phases(
            dataset["groups"]["train"], images, images_per_group=params.images_per_group, **options
        )
    write_json(snakemake.output.plan, phases_to_dict(phases))
