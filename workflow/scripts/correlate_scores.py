"""One correlation matrix of all scores for each privacy level: table and figure."""

import pandas as pd

from gradval.evidence.correlations import CORRELATION_KEY, score_correlations
from gradval.evidence.files import read_score_tables
from gradval.evidence.over_seeds import over_seeds
from gradval.report.figures import save_figure
from gradval.report.figures.correlations import plot_correlations
from gradval.runtime.files import write_csv
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    output = snakemake.output
    tables = read_score_tables(snakemake.input.scores)
    found = pd.concat([over_seeds(score_correlations(t), CORRELATION_KEY) for t in tables])
    write_csv(output.csv, found)
    figure = plot_correlations(
        found,
        title="How alike scores are",
        note="Spearman correlation within classes, mean over classes and runs. Framed: a score "
        "with itself under other initial weights.",
    )
    save_figure(figure, output.png, output.pdf)
