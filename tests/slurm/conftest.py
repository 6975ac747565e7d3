"""One cluster for all tests of this folder, and copies of the checkout to run there."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cluster as slurm
import pytest

PARTS = (
    "Snakefile",
    "config.yaml",
    "paper",
    "workflow",
    "src",
    "profiles",
    "slurm",
    "tests/slurm",
    "envs",
)
# The profile is the user's; these make up for a cluster without accounting and in a hurry.
HURRY = (
    "--slurm-status-command=squeue",
    "--slurm-init-seconds-before-status-checks=4",
    "--latency-wait=5",
)


@pytest.fixture(scope="session")
def cluster():
    """A running cluster; the tests are skipped where SLURM cannot be installed."""
    if slurm.missing_programs() and (reason := slurm.install()):
        pytest.skip(f"no SLURM on this machine: {reason}")
    # munge wants a folder that everybody may enter, which pytest's are not.
    folder = Path(tempfile.mkdtemp(prefix="gradval-slurm-"))
    folder.chmod(0o755)
    running = slurm.Cluster(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def checkout(copy_checkout):
    """A copy of the checkout whose trainings save their state often."""
    return copy_checkout(PARTS, save_every=1.0)


@pytest.fixture(scope="module")
def submit(cluster, checkout):
    """Start `snakemake --profile slurm` in the checkout; returns the process."""
    started = []

    def start(*arguments, config=("tests/slurm/config.yaml",)):
        log = checkout / f"snakemake-{len(started)}.log"
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "snakemake", *arguments, "--profile", "slurm", *HURRY),
                *("--configfile", *map(str, config)),
            ],
            cwd=checkout,
            env={**cluster.environment, "PYTHONPATH": "", "OMP_NUM_THREADS": "1"},
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            text=True,
        )
        process.log = log
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.kill(process.pid, 9)
            process.wait()
