"""Variants of the scores of checkpoints against the usual ones: a table and three figures."""

import pandas as pd

from gradval.evidence.files import read_variant_tables
from gradval.evidence.over_seeds import over_seeds, per_seed
from gradval.evidence.variants import VARIANTS_KEY, variant_agreement
from gradval.report.figures import save_figure
from gradval.report.figures.variants import plot_variants
from gradval.runtime.files import write_csv
from gradval.runtime.jobs import job
from gradval.scores.variants import COUNT, FORM, WINDOW, variants

TITLES = {
    "forms": (FORM, "VoG as printed or as a standard deviation, of the loss or of the logit"),
    "windows": (WINDOW, "Scores from early, late and all checkpoints"),
    "counts": (COUNT, "VoG from fewer checkpoints"),
}

with job(snakemake.log[0]):
    output = snakemake.output
    tables = read_variant_tables(snakemake.input.variants)
    known = {v.name + v.family: v for k in snakemake.params.checkpoints for v in variants(k)}
    by_run = pd.concat([variant_agreement(table, list(known.values())) for table in tables])
    write_csv(output.csv, over_seeds(by_run, VARIANTS_KEY))
    by_seed = per_seed(by_run, VARIANTS_KEY)
    for name, (family, title) in TITLES.items():
        figure = plot_variants(by_seed[by_seed["family"] == family], title=title)
        save_figure(figure, output[name], output[f"{name}_pdf"])
