"""Resume training from the first phase's weights on the samples that pruning left."""

from pathlib import Path

import pandas as pd

from gradval.files import read_json
from gradval.jobs import job
from gradval.privacy.ledger import RAW_SELECTION
from gradval.privacy.plan import phases_from_dict
from gradval.store import open_store
from gradval.training.recipe import Recipe
from gradval.training.run import PrivacyStatement, RunFiles, train_run

with job(snakemake.log[0]):
    wildcards, params, output = snakemake.wildcards, snakemake.params, snakemake.output
    folder = Path(output.weights).parent
    everyone = wildcards.removal == "none"
    phases = phases_from_dict(read_json(snakemake.input.plan))
    statement = None
    if params.privacy["target_epsilon"] is not None:
        data_dependent = wildcards.removal not in ("none", "random")
        statement = PrivacyStatement(
            **{**params.privacy, "accountants": tuple(params.privacy["accountants"])},
            phase="second",
            groups={"everyone": (0, 1)} if everyone else {"kept": (0, 1), "removed": (0,)},
            earlier_events=tuple(read_json(snakemake.input.ledger)["events"]),
            notes=(RAW_SELECTION,) if data_dependent else (),
        )
    train_run(
        open_store(Path(snakemake.input.store[0]).parent),
        model_options=params.model,
        recipe=Recipe.from_config(params.recipe),
        phase=phases["second_unpruned" if everyone else "second_pruned"],
        seed=int(wildcards.seed),
        stream="/".join(wildcards),
        files=RunFiles(
            weights=Path(output.weights),
            metrics=Path(output.metrics),
            summary=Path(output.summary),
            timing=Path(output.timing),
            ledger=Path(output.ledger),
            resume=folder / "resume.pt",
        ),
        statement=statement,
        kept=pd.read_csv(snakemake.input.kept)["index"].to_numpy(),
        initial_weights=Path(snakemake.input.weights),
        code=params.code,
    )
