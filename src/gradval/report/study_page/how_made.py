"""How a study was made: code, versions, machine, and what its jobs cost."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = (
    "gradval",
    "torch",
    "opacus",
    "dp-accounting",
    "opendp",
    "snakemake",
    "numpy",
    "pandas",
)


def made_by(checkout: Path) -> dict[str, str]:
    """How and where this process makes a study: commit, versions, machine, time.

    Args:
        checkout: the folder of the code.
    """
    found = {"Made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")}
    commit = _commit(checkout)
    if commit:
        found["Commit"] = commit
    found["Machine"] = f"{_processor()}, {os.cpu_count()} cores, {platform.system()}"
    found["Python"] = platform.python_version()
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _commit(checkout: Path) -> str:
    """The commit of the code, and whether it was changed since; empty if it is not known."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(checkout), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        return f"{commit}, changed since" if git("status", "--porcelain", "-uno") else commit
    except (OSError, subprocess.CalledProcessError):
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def costs_of(logs: Path) -> list[dict[str, Any]]:
    """What jobs cost, from the benchmark files beside their logs: one row a rule, dearest first.

    Returns:
        rule, jobs, minutes (of the wall, all jobs), memory_mb (the most that a job held).
    """
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(logs.rglob("*.jsonl")):
        rule = path.relative_to(logs).with_suffix("").parts[0]
        row = found.setdefault(rule, {"rule": rule, "jobs": 0, "minutes": 0.0, "memory_mb": 0.0})
        try:
            records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            for record in records[-1:]:
                row["jobs"] += 1
                row["minutes"] += float(record["s"]) / 60
                row["memory_mb"] = max(row["memory_mb"], float(record["max_rss"] or 0))
        except (ValueError, KeyError, TypeError):
            continue  # a job that was killed while it wrote
    return sorted((row for row in found.values() if row["jobs"]), key=lambda row: -row["minutes"])
