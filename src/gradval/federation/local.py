"""Flower's two apps in one process: no server, port or daemon."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

from flwr.app import Context, Error, Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

Client = Callable[[Message, Context], Message]


class LocalGrid(Grid):
    """A grid whose nodes are threads of this process.

    Args:
        client: the client app.
        nodes: how many, numbered from 0 (`partition-id`).
        config: the run's.
        workers: threads.
    """

    # The base wants them; nobody calls them.
    run: Any = SimpleNamespace(run_id=1)
    set_run: Any = None
    create_message: Any = None

    def __init__(
        self, client: Client, nodes: int, config: Mapping[str, Any], workers: int = 1
    ) -> None:
        self.client, self.pool = client, ThreadPoolExecutor(workers)
        self.jobs: dict[str, Future[Message]] = {}
        self.contexts = {
            number + 1: Context(
                run_id=1,
                node_id=number + 1,
                run_config=dict(config),
                node_config={"partition-id": number, "num-partitions": nodes},
                state=RecordDict(),
            )
            for number in range(nodes)
        }

    def _call(self, message: Message) -> Message:
        try:
            return self.client(message, self.contexts[message.metadata.dst_node_id])
        except Exception as error:  # as a real node: an error reply, never a crash of the server
            reason = f"{type(error).__name__}: {error}"
            return Message(Error(code=2, reason=reason), reply_to=message)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Hand messages to their nodes; each gets a copy, as nodes share no memory."""
        identities = []
        for message in messages:
            identity = str(len(self.jobs) + 1)
            message.metadata.__dict__["_message_id"] = identity
            self.jobs[identity] = self.pool.submit(self._call, deepcopy(message))
            identities.append(identity)
        return identities

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Replies that are there."""
        return [self.jobs[i].result() for i in message_ids if self.jobs[i].done()]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Replies that come within the time."""
        identities = self.push_messages(list(messages))
        wait([self.jobs[i] for i in identities], timeout)
        return self.pull_messages(identities)

    def get_node_ids(self) -> list[int]:
        """Of all nodes."""
        return list(self.contexts)


def run_local(
    server: Callable[..., Any],
    client: Client,
    nodes: int,
    config: Mapping[str, Any],
    workers: int = 1,
) -> None:
    """Run a server app with so many clients; exceptions of the server are the caller's."""
    # Messages read these, which Flower's own runtimes set; internal in 1.41, hence the exact pin.
    TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = 1
    context = Context(
        run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config=dict(config)
    )
    server(grid=LocalGrid(client, nodes, config, workers), context=context)
