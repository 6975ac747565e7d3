"""Choose the training samples that stay after each removal."""

import pandas as pd

from gradval.runtime.files import atomic_path
from gradval.runtime.jobs import job
from gradval.scores.files import read_scores
from gradval.selection.pruning import kept_samples
from gradval.study.names import CONTROLS, score_of

with job(snakemake.log[0]):
    params, files = snakemake.params, snakemake.input
    scores = read_scores(files.scores, params.scale)
    table = scores[["index", "id", "label"]].copy()
    for removal in params.removals:
        score, released = score_of(removal)
        if released:
            values = pd.read_parquet(files.released)[score].to_numpy()
        else:
            values = None if removal in CONTROLS else scores[score].to_numpy()
        kept = kept_samples(
            removal,
            values,
            scores["label"].to_numpy(),
            fraction=params.fraction,
            scope=params.scope,
            seed=int(snakemake.wildcards.seed),
            draw=int(snakemake.wildcards.draw),
        )
        table[f"kept_{removal}"] = table["index"].isin(kept)
    with atomic_path(snakemake.output.kept) as temporary:
        table.to_csv(temporary, index=False)
