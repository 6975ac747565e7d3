"""Compare what two sides select, over all seeds, beside chance and ceiling."""

from pathlib import Path

from gradval.data.store import open_store
from gradval.runtime.files import atomic_path
from gradval.runtime.jobs import job
from gradval.scores.files import read_score
from gradval.selection.agreement import compare_over_seeds, list_selections
from gradval.study.experiments import Comparison

with job(snakemake.log[0]):
    comparison = Comparison.from_dict(snakemake.params.comparison)
    selection = snakemake.params.selection
    store = open_store(Path(snakemake.input.store[0]).parent)
    scores = {
        side: {
            seed: read_score(path, selection["scale"])
            for seed, path in zip(snakemake.params.seeds, snakemake.input[side], strict=True)
        }
        for side in ("a", "b")
    }
    name, largest = comparison.class_name, comparison.end == "largest"
    pool = None if name is None else store.train.labels == store.class_index(name)
    statistics = compare_over_seeds(
        scores["a"],
        scores["b"],
        store.train.images,
        pool=pool,
        k=selection["k"],
        largest=largest,
        pearson_k=selection["pearson_top"],
        draws=selection["chance_draws"],
    )
    statistics.insert(0, "comparison", comparison.name)
    selections = list_selections(scores, store.train, pool=pool, k=selection["k"], largest=largest)
    for table, path in (
        (statistics, snakemake.output.statistics),
        (selections, snakemake.output.selections),
    ):
        with atomic_path(Path(path)) as temporary:
            table.to_csv(temporary, index=False)
