"""Release every score of every training sample or group under differential privacy, charged."""

from functools import partial

import pandas as pd

from gradval.data.store import read_groups
from gradval.privacy.budget import Budget, digest
from gradval.privacy.events import read_events, write_events
from gradval.privacy.release import release, release_event, released_events
from gradval.privacy.statistics import unit_values
from gradval.privacy.study_cost import DataBudget, to_plain
from gradval.runtime.files import atomic_path
from gradval.runtime.jobs import job
from gradval.scores.files import read_scores


def released(raw, bounds, epsilon):
    return release(raw, bounds, epsilon).tolist()


with job(snakemake.log[0]):
    params, files = snakemake.params, snakemake.input
    scores, run = read_scores(files.scores), "/".join(snakemake.wildcards)
    bounds = {name: tuple(params.bounds[name]) for name in params.scores}
    if params.unit == "group":
        groups = read_groups(files.samples)
        values = {name: unit_values(scores[name], groups, "group", bounds[name]) for name in bounds}
    else:
        values = {name: scores[name].to_numpy(float) for name in bounds}
    units = len(next(iter(values.values())))
    releases = [
        release_event(name, bounds[name], params.epsilon, units, params.unit) for name in bounds
    ]
    # Before anything is drawn: a second draw would be another release.
    write_events(snakemake.output.events, released_events(read_events(files.events), releases))
    # What asks for another draw, or differs from what was always asked for.
    other = {"unit": params.unit} if params.unit == "group" else {}
    if draw := params.get("draw", 0):
        other["draw"] = draw
    if params.data_budget:
        question = {
            "run": f"{run}/released",
            "unit": params.unit,
            "events": [to_plain(event.accounted()) for event in releases],
            "data": digest(b"".join(raw.tobytes() for raw in values.values())),
            **other,
        }
        DataBudget(**params.data_budget).charge(question)
    budget = Budget(params.budget_file, params.budget)
    # Positions alone: ids and labels are private, and so are the names of groups.
    table = pd.DataFrame({"index": range(units)})
    for name, raw in values.items():
        question = {
            "run": run,
            "score": name,
            "bounds": list(bounds[name]),
            "epsilon": params.epsilon,
            "data": digest(raw.tobytes()),
            **other,
        }
        table[name] = budget.ask(
            question,
            params.epsilon,
            partial(released, raw, bounds[name], params.epsilon),
        )
    with atomic_path(snakemake.output.scores) as temporary:
        table.to_parquet(temporary, index=False)
