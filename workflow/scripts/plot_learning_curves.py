"""Draw test accuracy over training for every full run."""

from pathlib import Path

import numpy as np
import pandas as pd

from gradval.report.figures import plot_learning_curves, save_figure
from gradval.runtime.jobs import job
from gradval.study.names import dataset_label, model_label, run_key

with job(snakemake.log[0]):
    # What always answering the most frequent class of the test set would get.
    constant = {}
    for path in snakemake.input.labels:
        counts = np.bincount(np.load(path))
        constant[Path(path).parent.name] = counts.max() / counts.sum()
    tables = []
    for path in snakemake.input.metrics:
        key = run_key(path)
        table = pd.read_csv(path)
        tables.append(
            table.assign(
                model=f"{model_label(key['model'])}, {dataset_label(key['dataset'])}",
                privacy=key["privacy"],
                seed=key["seed"],
                draw=key["draw"],
                constant=constant[key["dataset"]],
            )
        )
    figure = plot_learning_curves(pd.concat(tables), title="Test accuracy over training")
    save_figure(figure, snakemake.output.png, snakemake.output.pdf)
