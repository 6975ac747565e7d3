"""Snakemake as a user runs it."""

import os
import re
import subprocess
import sys
from pathlib import Path

MINIMAL = "tests/workflow/config.yaml"
PARTS = (
    *("Snakefile", "config.yaml", "paper", "workflow", "src", "profiles", "envs"),
    "tests/workflow",
)


def snakemake(folder: Path, *arguments: str, check: bool = True) -> str:
    """Run Snakemake in `folder` and return what it printed."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1200
    )
    output = done.stdout + done.stderr
    assert not check or done.returncode == 0, output[-4000:]
    return output


def planned(folder: Path, *arguments: str) -> dict[str, int]:
    """Rule -> number of jobs that a dry run announces; empty if there is nothing to be done."""
    output = snakemake(folder, *arguments, "--dry-run", "--quiet", "rules")
    jobs = {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", output, re.M)}
    assert jobs or "Nothing to be done" in output, output[-4000:]
    return jobs
