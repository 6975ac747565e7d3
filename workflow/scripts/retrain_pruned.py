"""Resume training from the first phase's weights on the samples that each removal left."""

from pathlib import Path

import pandas as pd

from gradval.data.store import open_store
from gradval.privacy.plan import phases_from_dict
from gradval.runtime.files import read_json
from gradval.runtime.jobs import job
from gradval.training.recipe import Recipe
from gradval.training.resume import remove_state
from gradval.training.run import RunFiles, train_run
from gradval.training.second_phase import second_phase

with job(snakemake.log[0]):
    wildcards, params, inputs = snakemake.wildcards, snakemake.params, snakemake.input
    store = open_store(Path(inputs.store[0]).parent)
    phases = phases_from_dict(read_json(inputs.plan))
    table = pd.read_csv(inputs.kept)
    first_ledger = read_json(inputs.ledger)
    releases = read_json(inputs.releases) if hasattr(inputs, "releases") else {}
    resumes = []
    for removal, weights in zip(params.removals, snakemake.output.weights, strict=True):
        phase, statement = second_phase(
            removal,
            phases,
            privacy=params.privacy,
            first_ledger=first_ledger,
            releases=releases,
        )
        files = RunFiles.in_folder(Path(weights).parent)
        train_run(
            store,
            model_options=params.model,
            recipe=Recipe.from_config(params.recipe),
            phase=phase,
            seed=int(wildcards.seed),
            stream="/".join([*wildcards, removal]),
            files=files,
            statement=statement,
            kept=table.loc[table[f"kept_{removal}"], "index"].to_numpy(),
            initial_weights=Path(inputs.weights),
            code=params.code,
        )
        resumes.append(files.resume)
    # Only now: if one removal fails, those before it need not be trained again.
    for path in resumes:
        remove_state(path)
