"""Gather the agreement of scores across privacy levels into one table, and draw it."""

from gradval.evidence.files import read_csvs
from gradval.report.figures import plot_levels, save_figure
from gradval.runtime.files import atomic_path
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    files, output = snakemake.input, snakemake.output
    with atomic_path(output.csv) as temporary:
        read_csvs(files.summary).to_csv(temporary, index=False)
    figure = plot_levels(
        read_csvs(files.by_seed), title="What privacy changes in which samples score highest"
    )
    save_figure(figure, output.png, output.pdf)
