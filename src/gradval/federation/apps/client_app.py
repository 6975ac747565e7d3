"""A site as a Flower client: its data stay in its folder, noisy sums or weights leave."""

from pathlib import Path
from typing import Any

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from gradval.data.images import NormalisedImages
from gradval.federation.accounts import executed_events
from gradval.federation.rounds import Journal, SiteWorker, digest_of, site_key
from gradval.federation.site_store import read_site
from gradval.models.architectures import build_model
from gradval.privacy.events import write_events

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """One round: weights in, noisy sums of clipped gradients or weights out.

    The site keeps account of what it was asked for in its own `events.json`.

    Raises:
        ValueError: the job is not the one that this site agreed to, or as `SiteWorker.answer`.
    """
    torch.set_num_threads(1)
    config: Any = message.content["config"]
    folder = site_folder(context)
    site = read_site(folder)
    if config["job"] != site.job.digest:
        raise ValueError(f"the job that was asked for is not the one of {folder / 'job.json'}")
    journal = Journal(folder / "rounds.jsonl")
    worker = SiteWorker(
        build_model(**site.job.model),
        NormalisedImages(site.images, site.mean, site.std),
        torch.from_numpy(site.labels),
        site.job,
        key=site_key(folder / "key"),
        journal=journal,
    )
    arrays: Any = message.content["arrays"]
    number = int(config["round"])
    weights = arrays.to_numpy_ndarrays()
    # Before anything is computed: a site that is killed counts too much rather than too little.
    rounds = journal.rounds_with(number, digest_of(weights), site.job.plan.rounds)
    executed = executed_events(site.job, rounds, samples=len(site.labels), secret=True)
    write_events(folder / "events.json", executed)
    answer = worker.answer(number, weights)
    metrics = MetricRecord({"site": int(context.node_config["partition-id"]), "round": number})
    content = RecordDict({"answer": ArrayRecord(answer), "metrics": metrics})
    return Message(content, reply_to=message)


def site_folder(context: Any) -> Path:
    """The folder of a node: its own setting `data`, or the one of its number below `sites`."""
    if folder := context.node_config.get("data"):
        return Path(str(folder))
    return Path(str(context.run_config["sites"]), f"site{context.node_config['partition-id']}")
