"""Release every score of every training sample under differential privacy."""

from gradval.privacy.events import read_events, write_events
from gradval.privacy.release import release, release_event, released_events
from gradval.runtime.files import atomic_path
from gradval.runtime.jobs import job
from gradval.scores.files import read_scores

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
    for name in bounds:
        table[name] = release(scores[name], bounds[name], params.epsilon)
    with atomic_path(snakemake.output.scores) as temporary:
        table.to_parquet(temporary, index=False)
