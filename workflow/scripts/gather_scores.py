"""Put the shards of a run's scores together, and scale them within classes."""

from pathlib import Path

import torch

from gradval.data.store import open_store
from gradval.runtime.files import read_json, write_json
from gradval.runtime.jobs import job
from gradval.scores.class_normalisation import normalise_per_class
from gradval.scores.files import write_score
from gradval.scores.shards import gather_shards
from gradval.training.resume import RESUME_FILE, remove_state

with job(snakemake.log[0]):
    files = snakemake.input
    # The training that this run needs is accepted; nobody will resume it.
    remove_state(Path(files.weights).with_name(RESUME_FILE))
    train = open_store(Path(files.store[0]).parent).train
    table = gather_shards(files.shards, len(train.labels))
    labels = torch.from_numpy(train.labels)
    for path in map(Path, snakemake.output.scores):
        values = table[path.stem].to_numpy()
        normalised = normalise_per_class(
            torch.from_numpy(values), labels, snakemake.params.normalisation
        )
        write_score(path, train.ids, train.labels, values, normalised.numpy())
    seconds = sum(read_json(path)["scoring_seconds"] for path in files.timing)
    write_json(
        snakemake.output.timing,
        {"scoring_seconds": seconds, "scores": [Path(p).stem for p in snakemake.output.scores]},
    )
