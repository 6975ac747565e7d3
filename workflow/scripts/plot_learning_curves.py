"""Draw test accuracy over training for every full run."""

from pathlib import Path

import pandas as pd

from gradval.figures import dataset_label, model_label, plot_learning_curves, save_figure
from gradval.jobs import job

with job(snakemake.log[0]):
    tables = []
    for path in snakemake.input.metrics:
        _, dataset, model, privacy, seed, *_ = Path(path).parts
        table = pd.read_csv(path)
        tables.append(
            table.assign(
                model=f"{model_label(model)}, {dataset_label(dataset)}",
                privacy=privacy,
                seed=int(seed.removeprefix("seed")),
            )
        )
    figure = plot_learning_curves(pd.concat(tables), title="Test accuracy over training")
    save_figure(figure, snakemake.output.png, snakemake.output.pdf)
