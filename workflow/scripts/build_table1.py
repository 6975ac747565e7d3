"""Build Table 1: accuracy after the removal of part of the training set."""

from pathlib import Path

import pandas as pd

from gradval.evidence import read_claims
from gradval.evidence.table1 import paper_table1, table1
from gradval.report.figures import plot_table1, save_figure
from gradval.report.labels import substitutes_label
from gradval.report.table1 import write_table1
from gradval.runtime.jobs import job
from gradval.study.experiments import stand_in_text
from gradval.study.names import dataset_label, model_label

with job(snakemake.log[0]):
    runs, output = pd.read_csv(snakemake.input.runs), snakemake.output
    stand_in = stand_in_text(snakemake.params.stand_ins)
    write_table1(
        table1(runs),
        [output.csv, output.md, output.tex, output.html],
        paper=paper_table1(read_claims(Path(snakemake.scriptdir).parent / "claims.csv")),
        stand_in=stand_in,
    )
    dataset, model = runs[["dataset", "model"]].iloc[0]
    figure = plot_table1(
        runs,
        title="Test accuracy after removing the samples with the largest scores: "
        f"{model_label(model)}, {dataset_label(dataset)}",
        note=f"Stand-in: {substitutes_label(stand_in)}" if stand_in else "",
    )
    save_figure(figure, output.png, output.pdf)
