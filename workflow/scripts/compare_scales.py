"""Raw scores against class-normalised ones over all classes: table and figure."""

import pandas as pd

from gradval.evidence.files import read_score_tables
from gradval.evidence.over_seeds import over_seeds, per_seed
from gradval.evidence.variants import VARIANTS_KEY, scale_agreement
from gradval.report.figures import save_figure
from gradval.report.figures.variants import plot_variants
from gradval.runtime.files import write_csv
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    output = snakemake.output
    tables = read_score_tables(snakemake.input.scores)
    by_run = pd.concat([scale_agreement(table) for table in tables])
    write_csv(output.csv, over_seeds(by_run, VARIANTS_KEY))
    figure = plot_variants(
        per_seed(by_run, VARIANTS_KEY),
        title="Class-normalised or raw scores: who is selected over all classes",
        note="The usual variant is min-max within each class, as in the paper.",
    )
    save_figure(figure, output.png, output.pdf)
