"""Charge what a job is about to execute to the budget of its data set, or refuse it."""

from pathlib import Path

from gradval.privacy.accountants import Laplace
from gradval.privacy.group_plan import plan_from_dict
from gradval.privacy.study_cost import DataBudget, job_events, to_plain
from gradval.runtime.files import read_json, write_text
from gradval.runtime.jobs import job
from gradval.study.names import epsilon_of


def question_of(model, privacy, seed, draw, name):
    """What one job spends."""
    if name == "released":
        share, scores = params.release
        events = [Laplace(1 / (share * epsilon_of(privacy)))] * scores
        name = "first/released"
    else:
        plans = phases[model, privacy]
        events = job_events(name, plans, removals=params.removals, audited=params.audited)
    return {
        "run": f"{dataset['name']}/{model}/{privacy}/{seed}/{draw}/{name}",
        "unit": params.unit,
        "events": [to_plain(event) for event in events],
    }


with job(snakemake.log[0]):
    wildcards, params = snakemake.wildcards, snakemake.params
    dataset = read_json(snakemake.input.dataset)
    phases = {}
    for path in snakemake.input.plans:
        plans = {name: plan_from_dict(plan) for name, plan in read_json(path).items()}
        phases[Path(path).parts[-3:-1]] = plans
    asked = [getattr(wildcards, key) for key in ("model", "privacy", "seed", "draw", "job")]
    budget = DataBudget(
        **params.budget, planned=[question_of(*planned) for planned in params.planned]
    )
    budget.charge(
        question_of(*asked) | {"data": dataset["sha256"]},
        # Secret noise is new each time; seeded noise is the same again.
        again=params.secret_noise,
    )
    write_text(snakemake.output.charged, f"spent: epsilon {budget.spent:.6g}\n")
