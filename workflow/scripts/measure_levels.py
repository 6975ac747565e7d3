"""How well scores agree across privacy levels, draws of noise and initial weights."""

from gradval.evidence.files import read_score_table
from gradval.evidence.levels import (
    LEVELS_KEY,
    bootstrap_samples,
    levels_by_seed,
    summarise_levels,
    usable_sizes,
)
from gradval.runtime.files import atomic_path
from gradval.runtime.jobs import job

# Samples of each class of which the error over samples is stated, where classes have as many.
BOOTSTRAP_K = 25

with job(snakemake.log[0]):
    table, _ = read_score_table(snakemake.wildcards.dataset, snakemake.input.scores)
    by_seed = levels_by_seed(table)
    summary = summarise_levels(by_seed)
    sizes = [k for k in usable_sizes(table.labels) if k <= BOOTSTRAP_K]
    if sizes:
        errors = bootstrap_samples(table, sizes[-1])
        summary = summary.merge(errors, on=list(LEVELS_KEY), how="left")
    for frame, path in ((by_seed, snakemake.output.by_seed), (summary, snakemake.output.summary)):
        with atomic_path(path) as temporary:
            frame.to_csv(temporary, index=False)
