"""Removals of several sizes beside random ones: tables and figure."""

from gradval.evidence.doses import CLASSES_KEY, DOSES_KEY, class_effects, dose_effects
from gradval.evidence.files import read_csvs
from gradval.evidence.over_seeds import over_seeds, per_seed
from gradval.report.figures import save_figure
from gradval.report.figures.doses import plot_doses
from gradval.runtime.files import write_csv
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    output = snakemake.output
    arms = read_csvs(snakemake.input.arms)
    by_run = dose_effects(arms)
    write_csv(output.csv, over_seeds(by_run, DOSES_KEY))
    by_class = class_effects(arms).groupby(list(CLASSES_KEY), sort=False)
    write_csv(output.classes, by_class[["removed_share", "recall_gain"]].mean().reset_index())
    figure = plot_doses(
        per_seed(by_run, DOSES_KEY), title="Are the highest scores useful, or their classes missed?"
    )
    save_figure(figure, output.png, output.pdf)
