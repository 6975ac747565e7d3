"""Being asked to stop: the step under way ends and its state is saved before the process does."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# From a scheduler or `kill`, and from Ctrl-C, which reaches Snakemake and all that it has started.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(SystemExit):
    """The run was asked to stop; its state has been saved. The message is one line for people."""


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set instead of ending the process.

    They do nothing else, however often they come: impatience cannot harm a state that is being
    written. A signal that the process was started to ignore, as shells do for jobs in the
    background, stays ignored. Outside the main thread, where Python allows no handlers, signals do
    what they always do.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    handled = [number for number, handler in previous.items() if handler is not signal.SIG_IGN]
    try:
        for number in handled:
            signal.signal(number, lambda *_: stop.set())
        yield stop
    finally:
        for number in handled:
            signal.signal(number, previous[number])
