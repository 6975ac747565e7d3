"""Draw test accuracy over training for every full run."""

import pandas as pd

from gradval.report.figures import dataset_label, model_label, plot_learning_curves, save_figure
from gradval.runtime.jobs import job
from gradval.study.names import run_key

with job(snakemake.log[0]):
    tables = []
    for path in snakemake.input.metrics:
        key = run_key(path)
        table = pd.read_csv(path)
        tables.append(
            table.assign(
                model=f"{model_label(key['model'])}, {dataset_label(key['dataset'])}",
                privacy=key["privacy"],
                seed=key["seed"],
            )
        )
    figure = plot_learning_curves(pd.concat(tables), title="Test accuracy over training")
    save_figure(figure, snakemake.output.png, snakemake.output.pdf)
