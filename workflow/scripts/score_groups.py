"""Scores of groups, such as patients: the mean of each score over the images of a group."""

from gradval.data.store import read_groups
from gradval.runtime.files import atomic_path
from gradval.runtime.jobs import job
from gradval.scores.files import read_scores
from gradval.scores.groups import group_scores

with job(snakemake.log[0]):
    groups = read_groups(snakemake.input.samples)
    table = group_scores(read_scores(snakemake.input.scores), groups)
    with atomic_path(snakemake.output.scores) as temporary:
        table.to_parquet(temporary, index=False)
