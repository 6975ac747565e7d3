"""Which scores find planted wrong labels and duplicates: table and figure."""

from pathlib import Path

import pandas as pd

from gradval.data.planted import planted_positions
from gradval.data.store import open_store
from gradval.evidence.files import read_score_tables
from gradval.evidence.over_seeds import over_seeds
from gradval.evidence.planted import PLANTED_KEY, planted_found
from gradval.report.figures import save_figure
from gradval.report.figures.planted import plot_planted
from gradval.runtime.files import write_csv
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    files, output = snakemake.input, snakemake.output
    folders = dict.fromkeys(Path(path).parent for path in files.store)
    planted = {folder.name: planted_positions(open_store(folder)) for folder in folders}
    tables = read_score_tables(files.scores)
    by_run = pd.concat([planted_found(table, planted[table.dataset]) for table in tables])
    keys = (*PLANTED_KEY, "chance")
    write_csv(output.csv, over_seeds(by_run, keys))
    by_seed = by_run.groupby([*keys, "seed"], sort=False)["value"].mean().reset_index()
    figure = plot_planted(by_seed, title="Which scores find what was planted")
    save_figure(figure, output.png, output.pdf)
