"""Audit one private run: train once with canaries, and bound epsilon from below."""

from dataclasses import asdict
from pathlib import Path

from gradval.audit.result import AuditPlan
from gradval.audit.run import audit_training, resume_paths
from gradval.data.store import open_store
from gradval.privacy.plan import phases_from_dict
from gradval.runtime.files import read_json, write_json
from gradval.runtime.jobs import job
from gradval.study.names import stream_name
from gradval.training.recipe import Recipe
from gradval.training.resume import RESUME_FILE, remove_state

PHASES = {"full": ("full",), "pruned": ("first", "second_pruned")}

with job(snakemake.log[0]):
    wildcards, params, output = snakemake.wildcards, snakemake.params, snakemake.output
    resume = Path(output.audit).with_name(RESUME_FILE)
    plans = phases_from_dict(read_json(snakemake.input.plan))
    phases = {name: plans[name] for name in PHASES[params.run]}
    result = audit_training(
        open_store(Path(snakemake.input.store[0]).parent),
        model_options=params.model,
        recipe=Recipe.from_config(params.recipe),
        phases=phases,
        audit=AuditPlan(**params.audit),
        delta=params.privacy["delta"],
        accountant=params.privacy["accountant"],
        seed=int(wildcards.seed),
        draw=int(wildcards.draw),
        stream=stream_name(
            wildcards.dataset, wildcards.model, wildcards.privacy, wildcards.seed, "audit"
        ),
        secret=params.secret_noise,
        events_path=output.events,
        resume_path=resume,
        code=params.code,
    )
    write_json(output.audit, asdict(result))
    for path in resume_paths(resume, len(phases)):
        remove_state(path)
