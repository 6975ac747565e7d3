"""Resume training from the first phase's weights on the samples that each removal left."""

from pathlib import Path

import pandas as pd

from gradval.data.store import open_store
from gradval.privacy.events import read_events
from gradval.privacy.plan import phases_from_dict
from gradval.runtime.files import read_json
from gradval.runtime.jobs import job
from gradval.study.names import stream_name
from gradval.training.recipe import Recipe
from gradval.training.resume import remove_state
from gradval.training.run import RunFiles, train_run
from gradval.training.second_phase import second_phase

with job(snakemake.log[0]):
    wildcards, params, inputs = snakemake.wildcards, snakemake.params, snakemake.input
    store = open_store(Path(inputs.store[0]).parent)
    phases = phases_from_dict(read_json(inputs.plan))
    table = pd.read_csv(inputs.kept)
    first = read_events(inputs.events)
    released = read_events(inputs.released) if hasattr(inputs, "released") else None
    resumes = []
    for removal, weights in zip(params.removals, snakemake.output.weights, strict=True):
        second = second_phase(removal, phases, first=first, released=released)
        files = RunFiles.in_folder(Path(weights).parent)
        train_run(
            store,
            model_options=params.model,
            recipe=Recipe.from_config(params.recipe),
            phase=second.plan,
            seed=int(wildcards.seed),
            draw=int(wildcards.draw),
            stream=stream_name(
                wildcards.dataset, wildcards.model, wildcards.privacy, wildcards.seed, removal
            ),
            files=files,
            phase_name="second",
            before=second.before,
            selection=second.selection,
            secret_noise=params.secret_noise,
            kept=table.loc[table[f"kept_{removal}"], "index"].to_numpy(),
            initial_weights=Path(inputs.weights),
            code=params.code,
        )
        resumes.append(files.resume)
    # Only now: if one removal fails, those before it need not be trained again.
    for path in resumes:
        remove_state(path)
