"""How the benchmarks measure: rounds in turns for time, a process of its own for memory."""

import csv
import multiprocessing
import platform
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import torch

from gradval.runtime.files import atomic_path, write_json

RESULTS = Path(__file__).parents[1] / "docs" / "performance"
PACKAGES = ("torch", "opacus", "gradval")

Run = Callable[[], object]
Result = TypeVar("Result")


def interleaved_rounds(
    runs: Mapping[str, Run], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Wall times in seconds of each run, taken in turns so that all see the same machine.

    The order turns round from one round to the next, so that nobody always follows the same one.

    Args:
        runs: name -> what to time; each is called once before anything counts.
        repeats: rounds that count.
        clock: what tells the time; a processor's own, if others use the machine.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for round_number in range(repeats + 1):
        for name in reversed(runs) if round_number % 2 else runs:
            _synchronise()
            start = clock()
            runs[name]()
            _synchronise()
            if round_number:
                seconds[name].append(clock() - start)
    return seconds


def interleaved_seconds(runs: Mapping[str, Run], repeats: int) -> dict[str, float]:
    """Median of `interleaved_rounds` for each run."""
    rounds = interleaved_rounds(runs, repeats)
    return {name: statistics.median(values) for name, values in rounds.items()}


def in_fresh_process(function: Callable[..., Result], *arguments: Any) -> Result:
    """What a function at the top level of a module returns in a process that has done nothing."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        return executor.submit(function, *arguments).result()


class Peak(NamedTuple):
    """Memory at its peak in MiB.

    Attributes:
        rise: above what model, images and libraries took before the run.
        whole: of the whole process; on a GPU of all that was allocated there.
    """

    rise: float
    whole: float


def peak_memory(make: Callable[..., Run], *arguments: Any) -> Peak:
    """Peak memory of a run in a fresh process.

    Args:
        make: builds the run, model and images included; at the top level of a module.
        arguments: of `make`.
    """
    return in_fresh_process(_peak, make, arguments)


def _peak(make: Callable[..., Run], arguments: tuple[Any, ...]) -> Peak:
    run = make(*arguments)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        whole = torch.cuda.max_memory_allocated()
        return Peak((whole - before) / 2**20, whole / 2**20)
    # Linux forgets the peak so far; the maximum of getrusage would carry over from the parent.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = status_mebibytes("VmRSS")
    run()
    whole = status_mebibytes("VmHWM")
    return Peak(whole - before, whole)


class AnonymousPeak:
    """Context that watches how much memory of its own this process has at most.

    `VmHWM` also counts pages of memory-mapped files, which the system takes back at will. The
    anonymous part has no such mark, so a thread looks every few milliseconds.

    Attributes:
        mebibytes: the most that was seen.
    """

    def __init__(self, interval: float = 0.005) -> None:
        self.interval, self.mebibytes = interval, 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.mebibytes = max(self.mebibytes, status_mebibytes("RssAnon"))
            if self._done.wait(self.interval):
                return


def status_mebibytes(key: str) -> float:
    """A size from this process's status file, such as `VmHWM`, in MiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"/proc/self/status: no {key}")


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def report(name: str, rows: Iterable[Mapping[str, Any]], *, write: bool) -> None:
    """Print each row as it is measured, and write all so far, so that an end too soon loses none.

    Args:
        name: of the file, see `write_results`.
        rows: measured one after another.
        write: whether to write anything.
    """
    done = []
    for row in rows:
        print(row, flush=True)
        done.append(row)
        if write:
            write_results(name, done)


def write_results(name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write `docs/performance/<name>.csv`, and beside it on what machine it was measured."""
    rows = list(rows)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with atomic_path(RESULTS / f"{name}.csv") as temporary, temporary.open("w") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    write_json(
        RESULTS / f"{name}.json",
        {
            "processor": processor(),
            "threads": torch.get_num_threads(),
            "device": "cuda" if torch.cuda.is_available() else "cpu",
            "python": platform.python_version(),
            **{package: version(package) for package in PACKAGES},
        },
    )


def processor() -> str:
    """The processor's name, as the system has it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
