"""Draw what noise does to published values, and what sites are worth and are paid."""

import pandas as pd

from gradval.report.figures.federation import plot_site_pay, plot_value_agreement
from gradval.report.figures.style import save_figure
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    output = snakemake.output
    values = plot_value_agreement(pd.read_csv(snakemake.input.summary))
    save_figure(values, output.values, output.values_pdf)
    sites = plot_site_pay(pd.read_csv(snakemake.input.sites, keep_default_na=False))
    save_figure(sites, output.sites, output.sites_pdf)
