"""Fix sampling rates, steps and noise of every phase of a setting before it is trained."""

from gradval.privacy.plan import phases_to_dict, plan_phases
from gradval.runtime.files import read_json, write_json
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    phases = plan_phases(
        read_json(snakemake.input.dataset)["images"]["train"],
        **snakemake.params.schedule,
        removed_fraction=snakemake.params.removed_fraction,
        **snakemake.params.privacy,
        release_epsilon=snakemake.params.release_epsilon,
        full_release_epsilons=snakemake.params.get("full_release_epsilons", ()),
    )
    write_json(snakemake.output.plan, phases_to_dict(phases))
