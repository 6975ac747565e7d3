"""Resume training on what is left after each way of removing one share of the samples."""

from pathlib import Path

import pandas as pd
import torch

from gradval.data.images import NormalisedImages
from gradval.data.store import open_store
from gradval.evidence.doses import arm_rows
from gradval.models.architectures import model_for
from gradval.privacy.events import read_events
from gradval.privacy.plan import phases_from_dict
from gradval.runtime.devices import job_device
from gradval.runtime.files import atomic_path, read_json
from gradval.runtime.jobs import job
from gradval.scores.files import read_scores
from gradval.selection.pruning import kept_samples
from gradval.study.arms import RANDOM, Arm
from gradval.study.names import run_key, stream_name
from gradval.training.evaluation import recalls
from gradval.training.recipe import Recipe
from gradval.training.resume import remove_state
from gradval.training.run import RunFiles, train_run

with job(snakemake.log[0]):
    wildcards, params, inputs = snakemake.wildcards, snakemake.params, snakemake.input
    store, device = open_store(Path(inputs.store[0]).parent), job_device()
    plan = phases_from_dict(read_json(inputs.plan))[wildcards.dose]
    scores = read_scores(inputs.scores, params.scale)
    test = NormalisedImages(store.test.images, store.mean, store.std, device)
    test_labels = torch.from_numpy(store.test.labels).to(device)
    tables, resumes = [], []
    for given, weights in zip(params.arms, snakemake.output.weights, strict=True):
        arm = Arm(**given)
        values = None if arm.score == RANDOM else scores[arm.score].to_numpy()
        kept = kept_samples(
            arm.score,
            -values if arm.end == "lowest" else values,
            store.train.labels,
            fraction=params.fraction,
            scope=arm.scope,
            seed=int(wildcards.seed),
            draw=int(wildcards.draw),
        )
        files = RunFiles.in_folder(Path(weights).parent)
        result = train_run(
            store,
            model_options=params.model,
            recipe=Recipe.from_config(params.recipe),
            phase=plan,
            seed=int(wildcards.seed),
            draw=int(wildcards.draw),
            stream=stream_name(
                wildcards.dataset,
                wildcards.model,
                wildcards.privacy,
                wildcards.seed,
                f"{arm.name}/{wildcards.dose}",
            ),
            files=files,
            phase_name="second",
            before=read_events(inputs.events),
            selection="random" if arm.score == RANDOM else "raw",
            secret_noise=params.secret_noise,
            kept=kept,
            initial_weights=Path(inputs.weights),
            code=params.code,
        )
        resumes.append(files.resume)
        model = model_for(store, params.model).to(device)
        model.load_state_dict(result.weights)
        recall = recalls(model, test, test_labels).numpy()
        rows = arm_rows(store.train.labels, kept, store.classes, recall)
        about = {**run_key(weights), **given, "fraction": params.fraction}
        tables.append(rows.assign(**about, test_accuracy=result.test_accuracy))
    with atomic_path(snakemake.output.arms) as temporary:
        pd.concat(tables, ignore_index=True).to_csv(temporary, index=False)
    # Only now: if one arm fails, those before it need not be trained again.
    for path in resumes:
        remove_state(path)
