"""Release every score of every training sample under differential privacy, charged to a budget."""

from functools import partial

import numpy as np

from gradval.privacy.budget import Budget, digest
from gradval.privacy.events import read_events, write_events
from gradval.privacy.release import release, release_event, released_events
from gradval.runtime.files import atomic_path
from gradval.runtime.jobs import job
from gradval.scores.files import read_scores


def released(raw, bounds, epsilon):
    return release(raw, bounds, epsilon).tolist()


with job(snakemake.log[0]):
    params = snakemake.params
    scores = read_scores(snakemake.input.scores)
    # Positions alone: ids and labels are private.
    table = scores[["index"]].copy()
    bounds = {name: tuple(params.bounds[name]) for name in params.scores}
    events = released_events(
        read_events(snakemake.input.events),
        [release_event(name, bounds[name], params.epsilon, len(scores)) for name in bounds],
    )
    # Before anything is drawn: a second draw would be another release.
    write_events(snakemake.output.events, events)
    budget = Budget(params.budget_file, params.budget)
    for name in bounds:
        raw = scores[name].to_numpy(np.float64)
        question = {
            "run": "/".join(snakemake.wildcards),
            "score": name,
            "bounds": list(bounds[name]),
            "epsilon": params.epsilon,
            "data": digest(raw.tobytes()),
        }
        table[name] = budget.ask(
            question,
            params.epsilon,
            partial(released, raw, bounds[name], params.epsilon),
        )
    with atomic_path(snakemake.output.scores) as temporary:
        table.to_parquet(temporary, index=False)
