"""Choose the training samples that stay after each removal."""

import pandas as pd

from gradval.files import atomic_path
from gradval.jobs import job
from gradval.pruning import CONTROLS, kept_samples

with job(snakemake.log[0]):
    params = snakemake.params
    scores = pd.read_parquet(snakemake.input.scores)
    suffix = "_normalised" if params.scale == "normalised" else ""
    table = scores[["index", "id", "label"]].copy()
    for removal in params.removals:
        kept = kept_samples(
            removal,
            None if removal in CONTROLS else scores[removal + suffix].to_numpy(),
            scores["label"].to_numpy(),
            fraction=params.fraction,
            scope=params.scope,
            seed=int(snakemake.wildcards.seed),
        )
        table[f"kept_{removal}"] = table["index"].isin(kept)
    with atomic_path(snakemake.output.kept) as temporary:
        table.to_csv(temporary, index=False)
