"""Snakemake killed in the middle of every kind of training, and the same command again."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest

PARTS = (
    "Snakefile",
    "config.yaml",
    "paper",
    "workflow",
    "src",
    "tests/workflow",
    "profiles",
    "envs",
)
RUN = "digits/resnet9/eps4/seed0/draw0"
STOPPED = r"interrupted after step (\d+) of \d+, state saved; run the same command to go on"


@dataclass(frozen=True)
class Killed:
    """A checkout and the job in it that is killed.

    Attributes:
        checkout: where the commands are run.
        rule: of the job.
        folder: what it leaves, below `results/<RUN>`.
        target: file below `folder` that is asked for; the state to resume from lies beside it.
    """

    checkout: os.PathLike
    rule: str
    folder: str
    target: str

    @property
    def results(self):
        return self.checkout / "results" / RUN / self.folder

    @property
    def state(self):
        return (self.results / self.target).with_name("resume.pt")

    @property
    def output(self):
        return (self.checkout / "snakemake.out").read_text()[-4000:]

    def start(self, *arguments):
        """Snakemake in a session of its own, so that it can be killed with all that it started."""
        target = f"results/{RUN}/{self.folder}/{self.target}"
        command = [sys.executable, "-m", "snakemake", "--cores", "1", target]
        command += ["--configfile", "tests/workflow/kills.yaml", *arguments]
        return subprocess.Popen(
            command,
            cwd=self.checkout,
            env={**os.environ, "PYTHONPATH": ""},
            stdout=(self.checkout / "snakemake.out").open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Ignored by what a shell starts in the background, as pytest may have been.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def again(self):
        """The same command once more; a Snakemake that was killed too has left its lock."""
        assert self.start("--unlock").wait(timeout=1200) == 0
        return self.start()

    def finish(self, process):
        """What the job leaves that must not depend on when it was killed."""
        assert process.wait(timeout=1200) == 0, self.output
        skipped = ("timing.json", "resume")
        return {
            str(path.relative_to(self.results)): path.read_bytes()
            for path in self.results.rglob("*")
            if path.is_file() and not path.name.startswith(skipped)
        }

    def kill(self, process, number, further_steps, times=1):
        """Let some steps be saved and send a signal to everything that Snakemake started."""
        writes, last = 0, self.saved()
        while writes < further_steps:
            assert process.poll() is None, self.output
            now = self.saved()
            writes, last = writes + (now != last), now
            time.sleep(0.002)
        for _ in range(times):
            os.killpg(process.pid, number)
        process.wait(timeout=1200)
        assert process.returncode != 0
        # A job may outlive Snakemake by the end of its step.
        end = time.monotonic() + 60
        while self.alive(process.pid) and time.monotonic() < end:
            time.sleep(0.01)
        assert not self.alive(process.pid)

    @staticmethod
    def alive(group):
        """Whether a process of the group is left."""
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        return True

    def saved(self):
        return self.state.stat().st_mtime_ns if self.state.exists() else 0

    def resumed_at(self):
        """Step at which the last training of the job went on."""
        return int(re.findall(r"resumed after step (\d+) of", self.log)[-1])

    @property
    def log(self):
        return (self.checkout / "logs" / self.rule / f"{RUN}{self.log_suffix}.log").read_text()

    @property
    def log_suffix(self):
        return "/full" if self.rule == "train_model" else ""


@pytest.fixture(scope="module")
def checkout(copy_checkout):
    """A copy of the checkout whose trainings save their state after every step."""
    return copy_checkout(PARTS, save_every=0.0)


@pytest.mark.parametrize(
    "case",
    [
        ("train_model", "full", "weights.safetensors"),
        # The second of the job's trainings, so that a finished one is there already.
        ("retrain_pruned", "pruned", "grad_norm/weights.safetensors"),
        ("audit_training", "audit", "audit.json"),
    ],
    ids=lambda case: case[0],
)
def test_snakemake_stopped_again_and_again_in_one_job_ends_with_the_same_bytes(checkout, case):
    job = Killed(checkout, *case)
    expected = job.finish(job.start())
    assert expected
    job.results.rename(checkout / f"undisturbed-{job.rule}")
    job.kill(job.start(), signal.SIGKILL, further_steps=7)
    job.kill(job.again(), signal.SIGTERM, further_steps=5)
    first = job.resumed_at()
    assert first >= 6
    # Ctrl-C: Snakemake, the job and the shells between them get it at once, and here twice.
    job.kill(job.again(), signal.SIGINT, further_steps=3, times=2)
    stopped = re.search(STOPPED, job.log)
    assert stopped and stopped.group() in job.output
    assert job.finish(job.again()) == expected
    assert job.resumed_at() == int(stopped.group(1)) > first
