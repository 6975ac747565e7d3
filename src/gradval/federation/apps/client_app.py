"""A site as a Flower client: its data stay in its folder, noisy sums leave."""

from pathlib import Path
from typing import Any

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from gradval.data.images import NormalisedImages
from gradval.federation.apps.records import plan_from, site_folder
from gradval.federation.rounds import Journal, SiteWorker, site_key
from gradval.federation.site_store import read_site
from gradval.models.architectures import build_model

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """One round: weights and plan in, noisy sums of clipped gradients out."""
    torch.set_num_threads(1)
    config: Any = message.content["config"]
    folder = site_folder(context)
    site = read_site(folder)
    model = build_model(**site.model)
    worker = SiteWorker(
        model,
        NormalisedImages(site.images, site.mean, site.std),
        torch.from_numpy(site.labels),
        key=site_key(Path(folder, "key")),
        journal=Journal(Path(folder, "rounds.jsonl")),
    )
    arrays: Any = message.content["arrays"]
    number = int(config["round"])
    answer = worker.answer(number, arrays.to_numpy_ndarrays(), plan_from(config))
    metrics = MetricRecord({"site": int(context.node_config["partition-id"]), "round": number})
    content = RecordDict({"sums": ArrayRecord(answer.sums), "metrics": metrics})
    return Message(content, reply_to=message)
