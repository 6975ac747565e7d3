"""Build Table 1: accuracy after the removal of part of the training set."""

from pathlib import Path

import pandas as pd

from gradval.evidence import read_claims
from gradval.evidence.table1 import paper_table1, table1
from gradval.report.figures import plot_table1, save_figure
from gradval.report.labels import substitutes_label
from gradval.report.table1 import write_table1
from gradval.runtime.jobs import job
from gradval.study.experiments import substitutes_text
from gradval.study.names import dataset_label, model_label

with job(snakemake.log[0]):
    runs, output = pd.read_csv(snakemake.input.runs), snakemake.output
    # The paper's numbers stand beside those of its own experiment alone.
    is_papers = snakemake.params.substitutes is not None
    claims = read_claims(Path(snakemake.scriptdir).resolve().parents[1] / "paper/claims.csv")
    paper = paper_table1(claims) if is_papers else None
    substitutes = substitutes_text(snakemake.params.substitutes or {})
    write_table1(
        table1(runs),
        [output.csv, output.md, output.tex, output.html],
        paper=paper,
        substitutes=substitutes,
    )
    dataset, model = runs[["dataset", "model"]].iloc[0]
    figure = plot_table1(
        runs,
        title="Test accuracy after removing the samples with the largest scores: "
        f"{model_label(model)}, {dataset_label(dataset)}",
        note=f"Substitute: {substitutes_label(substitutes)}" if substitutes else "",
    )
    save_figure(figure, output.png, output.pdf)
