"""Choose the training samples that stay after a removal."""

from pathlib import Path

import pandas as pd

from gradval.files import atomic_path
from gradval.jobs import job
from gradval.pruning import CONTROLS, kept_samples

with job(snakemake.log[0]):
    wildcards, params = snakemake.wildcards, snakemake.params
    table = pd.read_parquet(snakemake.input.scores)
    column = wildcards.removal + ("_normalised" if params.scale == "normalised" else "")
    kept = kept_samples(
        wildcards.removal,
        None if wildcards.removal in CONTROLS else table[column].to_numpy(),
        table["label"].to_numpy(),
        fraction=params.fraction,
        scope=params.scope,
        seed=int(wildcards.seed),
    )
    with atomic_path(Path(snakemake.output.kept)) as temporary:
        table.loc[kept, ["index", "id", "label"]].to_csv(temporary, index=False)
