"""Compare what two sides select, over all seeds, beside chance and ceiling."""

from pathlib import Path

from gradval.data.store import open_store
from gradval.runtime.files import atomic_path
from gradval.runtime.jobs import job
from gradval.scores.files import read_score
from gradval.selection.agreement import compare_over_seeds, list_selections

with job(snakemake.log[0]):
    definition, selection = snakemake.params.definition, snakemake.params.selection
    store = open_store(Path(snakemake.input.store[0]).parent)
    scores = {
        side: {
            seed: read_score(path, selection["scale"])
            for seed, path in zip(snakemake.params.seeds, snakemake.input[side], strict=True)
        }
        for side in ("a", "b")
    }
    name = definition["class_name"]
    pool = None if name is None else store.train.labels == store.class_index(name)
    statistics = compare_over_seeds(
        scores["a"],
        scores["b"],
        store.train.images,
        pool=pool,
        k=selection["k"],
        largest=definition["largest"],
        pearson_k=selection["pearson_top"],
        draws=selection["chance_draws"],
    )
    statistics.insert(0, "comparison", definition["name"])
    selections = list_selections(
        scores, store.train, pool=pool, k=selection["k"], largest=definition["largest"]
    )
    for table, path in (
        (statistics, snakemake.output.statistics),
        (selections, snakemake.output.selections),
    ):
        with atomic_path(Path(path)) as temporary:
            table.to_csv(temporary, index=False)
