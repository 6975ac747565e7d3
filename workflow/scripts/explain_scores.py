"""How much of each score class, brightness, contrast and edges explain: table and figure."""

from pathlib import Path

import pandas as pd

from gradval.data.store import open_store
from gradval.evidence.explained import EXPLAINED_KEY, explained_shares
from gradval.evidence.files import read_score_tables
from gradval.evidence.over_seeds import over_seeds, per_seed
from gradval.report.figures import save_figure
from gradval.report.figures.explained import plot_explained
from gradval.runtime.files import write_csv
from gradval.runtime.jobs import job
from gradval.scores.looks import looks_of

with job(snakemake.log[0]):
    files, output = snakemake.input, snakemake.output
    folders = dict.fromkeys(Path(path).parent for path in files.store)
    looks = {folder.name: looks_of(open_store(folder).train.images) for folder in folders}
    tables = read_score_tables(files.scores)
    by_run = pd.concat([explained_shares(table, looks[table.dataset]) for table in tables])
    write_csv(output.csv, over_seeds(by_run, EXPLAINED_KEY))
    figure = plot_explained(
        per_seed(by_run, EXPLAINED_KEY),
        title="What class and plain looks of an image say of its score",
        note="Dots: explained within each run. Where the class explains more than repeats, runs "
        "differ in the classes that they score high.",
    )
    save_figure(figure, output.png, output.pdf)
