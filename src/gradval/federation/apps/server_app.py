"""The server of federated training by sums: a round loop that survives whatever sites do."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp
from torch import nn

from gradval.federation.apps.records import plan_from, plan_record
from gradval.federation.rounds import Arrays, SumPlan, problem_of, weights_of
from gradval.models.architectures import build_model
from gradval.runtime.files import read_json, write_json
from gradval.training.checkpoints import save_weights
from gradval.training.optimizers import SGD

app = ServerApp()
POLL_SECONDS = 0.02


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train; the run's config names the file with the job (`job`) and the folder to write (`out`).

    The job is JSON: `model` (arguments of `build_model`), `plan` (a `SumPlan`), `learning_rate`,
    `momentum` and `timeout` (seconds that a round waits).
    """
    torch.set_num_threads(1)
    job = read_json(str(context.run_config["job"]))
    out = Path(str(context.run_config["out"]))
    model, plan = build_model(**job["model"]), plan_from(job["plan"])
    optimizer = SGD(model.parameters(), lr=job["learning_rate"], momentum=job["momentum"])
    wait_for_nodes(grid, plan.least, job["timeout"])
    log = []
    for number in range(1, plan.steps + 1):
        weights = weights_of(model)
        answers, problems = ask(grid, number, weights, plan, job["timeout"])
        stepped = len(answers) >= plan.least
        if stepped:
            step(model, optimizer, [answers[site] for site in sorted(answers)], plan)
        log.append({"round": number, "sites": sorted(answers), "problems": problems,
                    "step": stepped})  # fmt: skip
    save_weights(model.state_dict(), out / "weights.safetensors")
    # Every round that was asked for counts, whether it made a step or not.
    write_json(out / "rounds.json", {"steps": plan.steps, "rounds": log})


def step(model: nn.Module, optimizer: SGD, answers: list[Arrays], plan: SumPlan) -> None:
    """Add up the sites' sums in their order, divide by the fixed denominator, take the step."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    for parameter, arrays in zip(parameters, zip(*answers, strict=True), strict=True):
        total = torch.from_numpy(np.sum(arrays, axis=0, dtype=np.float32))
        parameter.grad = total.to(parameter.device) / plan.batch_size
    optimizer.step()
    optimizer.zero_grad()


def ask(
    grid: Grid, number: int, weights: Arrays, plan: SumPlan, timeout: float
) -> tuple[dict[int, Arrays], list[str]]:
    """Ask every node for its sums.

    Returns:
        Site -> sums of those who answered in time and well, and what was wrong with the others.
    """
    config = ConfigRecord({"round": number, **plan_record(plan)})
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
        elif found := _problem(reply, weights):
            problems.append(found)
        else:
            content: Any = reply.content
            site = int(content["metrics"]["site"])
            if site in answers:
                problems.append(f"site {site} answered twice")
            else:
                answers[site] = content["sums"].to_numpy_ndarrays()
    return answers, problems


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


def _problem(reply: Message, weights: Arrays) -> str:
    content: Any = reply.content
    try:
        return problem_of(content["sums"].to_numpy_ndarrays(), weights)
    except (KeyError, ValueError, TypeError) as error:
        return f"not an answer: {type(error).__name__}"
