"""Compare the scores collected while training with those at checkpoints, over all runs."""

from pathlib import Path

import pandas as pd

from gradval.report.figures import plot_free_scores, save_figure
from gradval.runtime.files import atomic_path
from gradval.runtime.jobs import job
from gradval.scores.files import read_scores
from gradval.selection.free_score_agreement import free_score_agreement
from gradval.study.names import run_key

with job(snakemake.log[0]):
    free, exact = {}, {}
    for path in snakemake.input.free:
        folder = str(Path(path).parent)
        key = run_key(path)
        setting = (key["dataset"], key["model"], key["privacy"])
        run = (key["seed"], key["draw"])
        files = [file for file in snakemake.input.exact if file.startswith(f"{folder}/scores/")]
        free.setdefault(setting, {})[run] = pd.read_parquet(path)
        exact.setdefault(setting, {})[run] = read_scores(files)
    k = snakemake.params.k
    parts = []
    for setting in free:
        table = free_score_agreement(free[setting], exact[setting], k=k)
        names = dict(zip(("dataset", "model", "privacy"), setting, strict=True))
        parts.append(pd.DataFrame([names] * len(table)).join(table))
    agreement = pd.concat(parts)
    with atomic_path(Path(snakemake.output.csv)) as temporary:
        agreement.to_csv(temporary, index=False)
    figure = plot_free_scores(
        agreement, k=k, title="Scores collected while training against those at checkpoints"
    )
    save_figure(figure, snakemake.output.png, snakemake.output.pdf)
