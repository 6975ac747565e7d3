"""Draw test accuracy over training for every full run."""

from pathlib import Path

import numpy as np
import pandas as pd

from gradval.evidence.constant import beside_constant_answer, constant_accuracy, no_better
from gradval.report.figures import plot_learning_curves, save_figure
from gradval.runtime.jobs import job
from gradval.study.names import dataset_label, model_label, run_key

with job(snakemake.log[0]):
    # What always answering the most frequent class of the test set would get.
    constant, samples = {}, {}
    for path in snakemake.input.labels:
        labels, name = np.load(path), Path(path).parent.name
        constant[name], samples[name] = constant_accuracy(labels), len(labels)
    tables, ends = [], []
    for path in snakemake.input.metrics:
        key = run_key(path)
        table = pd.read_csv(path)
        accuracy = table["test_accuracy"].iloc[-1]
        ends.append({**key, "test_accuracy": accuracy, "test_samples": samples[key["dataset"]]})
        tables.append(
            table.assign(
                model=f"{model_label(key['model'])}, {dataset_label(key['dataset'])}",
                privacy=key["privacy"],
                seed=key["seed"],
                draw=key["draw"],
                constant=constant[key["dataset"]],
            )
        )
    poor = no_better(beside_constant_answer(pd.DataFrame(ends), constant))
    figure = plot_learning_curves(
        pd.concat(tables),
        title="Test accuracy over training",
        note="".join(f"{sentence}. " for sentence in poor).strip(),
    )
    save_figure(figure, snakemake.output.png, snakemake.output.pdf)
