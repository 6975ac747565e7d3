"""The server of federated training: a round loop that survives whatever sites do."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp
from torch import nn

from gradval.data.images import NormalisedImages
from gradval.federation.accounts import executed_events
from gradval.federation.coordinator import Coordinator
from gradval.federation.plans import Job, read_job
from gradval.federation.rounds import Arrays, problem_of
from gradval.federation.site_store import read_site
from gradval.federation.training import run_rounds
from gradval.models.architectures import build_model
from gradval.privacy.events import write_events
from gradval.runtime.files import atomic_path, write_json
from gradval.training.checkpoints import save_checkpoints, save_weights
from gradval.training.evaluation import evaluate
from gradval.training.resume import RESUME_FILE, ResumeFiles, remove_state

app = ServerApp()
POLL_SECONDS = 0.02


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train; the run's config names the file of the job (`job`) and the folder to write (`out`).

    `test` may name a folder as of `write_site` with public images, by which checkpoints are
    measured. A run that was killed goes on where it stopped if it is started again with the same
    folder and the same sites, which answer a round once more if the weights are the same.

    Writes weights, checkpoints, events, metrics (a row a checkpoint) and `rounds.json` (who
    answered).
    """
    torch.set_num_threads(1)
    job = read_job(Path(str(context.run_config["job"])))
    out = Path(str(context.run_config["out"]))
    out.mkdir(parents=True, exist_ok=True)
    coordinator = Coordinator(build_model(**job.model), job)
    wait_for_nodes(grid, job.plan.least, job.timeout)
    progress = run_rounds(
        coordinator,
        lambda number, weights: ask(grid, number, weights, job),
        ResumeFiles(out / RESUME_FILE, job.digest),
        _measure(str(context.run_config.get("test", ""))),
        save_every=0,
    )
    save_weights(coordinator.checkpoints[-1], out / "weights.safetensors")
    save_checkpoints(coordinator.checkpoints, out / "checkpoints.safetensors")
    # One file each as well, which is what `gradval score` takes from anybody.
    for number, weights in enumerate(coordinator.checkpoints):
        save_weights(weights, out / f"checkpoints/{number:03d}.safetensors")
    # Every round that was asked for counts, whether it made a step or not.
    write_events(out / "events.json", executed_events(job, coordinator.number, secret=True))
    with atomic_path(out / "metrics.csv") as temporary:
        pd.DataFrame(progress.metrics).to_csv(temporary, index=False)
    write_json(out / "rounds.json", {"rounds": progress.rounds})
    remove_state(out / RESUME_FILE)


def _measure(folder: str) -> Any:
    """Loss and accuracy on the public images of a folder; nothing without one."""
    if not folder:
        return lambda model: {}
    test = read_site(Path(folder))
    images = NormalisedImages(test.images, test.mean, test.std)
    labels = torch.from_numpy(test.labels)

    def measure(model: nn.Module) -> Mapping[str, float]:
        found = evaluate(model, images, labels)
        return {"test_loss": found.loss, "test_accuracy": found.accuracy}

    return measure


def ask(grid: Grid, number: int, weights: Arrays, job: Job) -> tuple[dict[int, Arrays], list[str]]:
    """Ask every node for its sums or weights.

    Returns:
        Site -> answer of those who answered in time and well, and what was wrong with the others.
    """
    config, timeout = ConfigRecord({"round": number, "job": job.digest}), job.timeout
    messages = [
        Message(
            RecordDict({"arrays": ArrayRecord(weights), "config": config}),
            dst_node_id=node,
            message_type="train",
            group_id=str(number),
            ttl=timeout,
        )
        for node in sorted(grid.get_node_ids())
    ]
    answers: dict[int, Arrays] = {}
    problems = []
    replies = gather(grid, messages, timeout)
    for message in messages:
        reply = replies.get(message.metadata.message_id)
        if reply is None:
            problems.append("no answer")
        elif reply.has_error():
            problems.append(f"error {reply.error.code}: {str(reply.error.reason)[:80]}")
        else:
            try:
                site, arrays = _read(reply, job)
            except (KeyError, ValueError, TypeError) as error:
                problems.append(f"not an answer: {type(error).__name__}")
                continue
            found = "answered twice" if site in answers else problem_of(arrays, weights)
            if found:
                problems.append(f"site {site}: {found}")
            else:
                answers[site] = arrays
    return answers, problems


def _read(reply: Message, job: Job) -> tuple[int, Arrays]:
    content: Any = reply.content
    site = int(content["metrics"]["site"])
    if not 0 <= site < job.plan.sites:
        raise ValueError(f"site {site}")
    return site, content["answer"].to_numpy_ndarrays()


def gather(grid: Grid, messages: list[Message], timeout: float) -> dict[str, Message]:
    """Replies by the id of the message that they answer, of those that come in time."""
    list(grid.push_messages(messages))  # sets their ids
    waiting = {message.metadata.message_id for message in messages}
    replies: dict[str, Message] = {}
    end = time.monotonic() + timeout
    while waiting and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        for reply in grid.pull_messages(list(waiting)):
            replies[reply.metadata.reply_to_message_id] = reply
            waiting.discard(reply.metadata.reply_to_message_id)
    return replies


def wait_for_nodes(grid: Grid, least: int, timeout: float) -> None:
    """Wait until enough sites are there.

    Raises:
        ValueError: they are not, in time.
    """
    end = time.monotonic() + max(timeout, 60)
    while len(list(grid.get_node_ids())) < least:
        if time.monotonic() > end:
            raise ValueError(f"fewer than {least} sites came within {max(timeout, 60):g} s")
        time.sleep(0.2)
