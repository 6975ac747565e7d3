"""Compare what two sides select, over all runs, beside chance and ceilings."""

from pathlib import Path

from gradval.data.store import open_store
from gradval.runtime.files import atomic_path
from gradval.runtime.jobs import job
from gradval.scores.files import read_score
from gradval.selection.agreement import compare_over_runs, list_selections
from gradval.study.experiments import Comparison
from gradval.study.names import run_key


def run_of(path):
    """Seed and draw of a run from the path of its scores."""
    key = run_key(path)
    return key["seed"], key["draw"]


with job(snakemake.log[0]):
    comparison = Comparison.from_dict(snakemake.params.comparison)
    selection = snakemake.params.selection
    store = open_store(Path(snakemake.input.store[0]).parent)
    scores = {
        side: {run_of(path): read_score(path, selection["scale"]) for path in snakemake.input[side]}
        for side in ("a", "b")
    }
    name, largest = comparison.class_name, comparison.end == "largest"
    candidates = None if name is None else store.train.labels == store.class_index(name)
    statistics = compare_over_runs(
        scores["a"],
        scores["b"],
        store.train.images,
        store.train.labels,
        candidates=candidates,
        k=selection["k"],
        largest=largest,
        pearson_k=selection["pearson_top"],
        draws=selection["chance_draws"],
        same_runs=comparison.settings[0] == comparison.settings[1],
    )
    statistics.insert(0, "comparison", comparison.name)
    selections = list_selections(
        scores, store.train, candidates=candidates, k=selection["k"], largest=largest
    )
    for table, path in (
        (statistics, snakemake.output.statistics),
        (selections, snakemake.output.selections),
    ):
        with atomic_path(Path(path)) as temporary:
            table.to_csv(temporary, index=False)
