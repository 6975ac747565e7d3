"""Reliability of one sample's score, and the runs needed for 0.9: table and figure."""

import pandas as pd

from gradval.evidence.files import read_score_tables
from gradval.evidence.reliability import reliability_by_seed, summarise_reliability
from gradval.report.figures import save_figure
from gradval.report.figures.reliability import plot_reliability
from gradval.runtime.files import write_csv
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    output = snakemake.output
    tables = read_score_tables(snakemake.input.scores)
    by_seed = pd.concat([reliability_by_seed(table) for table in tables])
    if by_seed.empty:
        raise ValueError("reliability needs runs of at least two seeds; see grid.seeds")
    found = summarise_reliability(by_seed)
    write_csv(output.csv, found)
    figure = plot_reliability(
        by_seed, found, title="How far one run can be trusted with the score of one sample"
    )
    save_figure(figure, output.png, output.pdf)
