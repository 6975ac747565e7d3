"""How the benchmarks measure: interleaved repeats for time, a process of its own for memory."""

import csv
import multiprocessing
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from gradval.files import atomic_path, write_json

RESULTS = Path(__file__).parents[1] / "docs" / "performance"
PACKAGES = ("torch", "opacus", "gradval")

Run = Callable[[], object]


def interleaved_seconds(runs: Mapping[str, Run], repeats: int) -> dict[str, float]:
    """Median wall time of each run, taken in turns so that all see the same machine.

    Args:
        runs: name -> what to time; each is called once before anything counts.
        repeats: rounds that count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for round_number in range(repeats + 1):
        for name, run in runs.items():
            _synchronise()
            start = time.perf_counter()
            run()
            _synchronise()
            if round_number:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def peak_mebibytes(make: Callable[..., Run], *arguments: Any) -> float:
    """How far memory rises, at its peak, while a run goes on; in a fresh process.

    Args:
        make: builds the run, model and images included; at the top level of a module.
        arguments: of `make`.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_peak, (make, arguments))


def _peak(make: Callable[..., Run], arguments: tuple[Any, ...]) -> float:
    run = make(*arguments)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    # Linux forgets the peak so far; the maximum of getrusage would carry over from the parent.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _memory("VmRSS")
    run()
    return _memory("VmHWM") - before


def _memory(key: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"/proc/self/status: no {key}")


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


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
