"""Resume training from the first phase's weights on the samples that each removal left."""

from pathlib import Path

import pandas as pd

from gradval.files import read_json
from gradval.jobs import job
from gradval.privacy.ledger import RAW_SELECTION
from gradval.privacy.plan import phases_from_dict
from gradval.pruning import CONTROLS
from gradval.store import open_store
from gradval.training.recipe import Recipe
from gradval.training.resume import remove_state
from gradval.training.run import PrivacyStatement, RunFiles, train_run

with job(snakemake.log[0]):
    wildcards, params, inputs = snakemake.wildcards, snakemake.params, snakemake.input
    store = open_store(Path(inputs.store[0]).parent)
    phases = phases_from_dict(read_json(inputs.plan))
    table = pd.read_csv(inputs.kept)
    first_ledger = read_json(inputs.ledger)
    resumes = []
    for removal, weights in zip(params.removals, snakemake.output.weights, strict=True):
        everyone = removal == "none"
        files = RunFiles.in_folder(Path(weights).parent)
        train_run(
            store,
            model_options=params.model,
            recipe=Recipe.from_config(params.recipe),
            phase=phases["second_unpruned" if everyone else "second_pruned"],
            seed=int(wildcards.seed),
            stream="/".join([*wildcards, removal]),
            files=files,
            statement=PrivacyStatement.of(
                params.privacy,
                phase="second",
                groups={"everyone": (0, 1)} if everyone else {"kept": (0, 1), "removed": (0,)},
                earlier_events=tuple(first_ledger.get("events", ())),
                notes=() if removal in CONTROLS else (RAW_SELECTION,),
            ),
            kept=table.loc[table[f"kept_{removal}"], "index"].to_numpy(),
            initial_weights=Path(inputs.weights),
            code=params.code,
        )
        resumes.append(files.resume)
    # Only now: if one removal fails, those before it need not be trained again.
    for path in resumes:
        remove_state(path)
