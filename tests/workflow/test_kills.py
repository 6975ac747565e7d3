"""Snakemake killed in the middle of a training, and the same command again."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

PARTS = ("Snakefile", "config.yaml", "workflow", "src", "tests/workflow", "profiles", "envs")
RUN = "results/digits/resnet9/eps4/seed0/full"
LOG = "logs/train_model/digits/resnet9/eps4/seed0/full.log"
COMMAND = [
    *(sys.executable, "-m", "snakemake", "--cores", "1", f"{RUN}/weights.safetensors"),
    *("--configfile", "tests/workflow/kills.yaml"),
]


@pytest.fixture(scope="module")
def checkout(copy_checkout):
    """A copy of the checkout whose trainings save their state after every step."""
    return copy_checkout(PARTS, save_every=0.0)


def start(checkout, *arguments):
    """Snakemake in a session of its own, so that it can be killed with all that it started."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": ""},
        stdout=(checkout / "snakemake.out").open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def again(checkout):
    """The same command once more; a Snakemake that was killed too has left its lock."""
    assert start(checkout, "--unlock").wait(timeout=60) == 0
    return start(checkout)


def finish(process, checkout):
    assert process.wait(timeout=300) == 0, (checkout / "snakemake.out").read_text()[-4000:]
    return contents(checkout / RUN)


def contents(folder):
    """What a training leaves that must not depend on when it was killed."""
    skipped = ("timing.json", "resume")
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(skipped)}


def kill(process, checkout, number, further_steps):
    """Let some steps be saved and send a signal to everything that Snakemake started."""
    state = checkout / RUN / "resume.pt"
    writes, last = 0, state.stat().st_mtime_ns if state.exists() else 0
    while writes < further_steps:
        assert process.poll() is None, (checkout / "snakemake.out").read_text()[-4000:]
        now = state.stat().st_mtime_ns if state.exists() else 0
        writes, last = writes + (now != last), now
        time.sleep(0.002)
    os.killpg(process.pid, number)
    process.wait(timeout=60)
    assert process.returncode != 0


def resumed_at(checkout):
    return int(re.search(r"resumed after step (\d+) of", (checkout / LOG).read_text()).group(1))


def test_snakemake_killed_twice_in_one_training_ends_with_the_same_bytes(checkout):
    expected = finish(start(checkout), checkout)
    (checkout / RUN).rename(checkout / "undisturbed")
    kill(start(checkout), checkout, signal.SIGKILL, further_steps=7)
    kill(again(checkout), checkout, signal.SIGTERM, further_steps=11)
    first = resumed_at(checkout)
    assert first >= 6
    assert finish(again(checkout), checkout) == expected
    assert resumed_at(checkout) > first
