"""What schedulers and several GPUs are given, without a scheduler or a GPU."""

import re
import subprocess
import sys
from collections import Counter
from itertools import combinations, product
from pathlib import Path

import pytest

from gradval.models.architectures import ARCHITECTURES

ROOT = Path(__file__).parents[2]

WORKFLOW = """
rule all:
    input: expand("{i}.txt", i=range(4))

rule hold:
    output: "{i}.txt"
    resources: gpu=1
    shell: "{python} hold.py {output}"
"""

# Takes one of two devices as a job of the study does, and says which and from when to when.
HOLD = """
import sys, time
from pathlib import Path
from gradval.runtime.devices import claim
device = claim(["0", "1"], Path("locks"))
start = time.time()
time.sleep(1.5)
Path(sys.argv[1]).write_text(f"{device} {start} {time.time()}")
"""


@pytest.fixture(scope="module")
def submitted():
    """What `snakemake --profile slurm` would submit: the text of its dry run."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--profile", "slurm", "--dry-run", "--nolock"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


def test_the_slurm_profile_lays_out_the_whole_grid_of_the_paper(submitted):
    found = Counter(
        re.findall(r"Training (\w+) on (\w+), (\w+), seed \d, draw 0 \(full\)", submitted)
    )
    datasets, levels = ("cifar10", "cinic10", "pppd"), ("nonprivate", "eps1", "eps4", "eps8")
    models = set(ARCHITECTURES) - {"cnn"}
    assert set(found) == set(product(models, datasets, levels))
    assert set(found.values()) == {5}
    assert re.search(r"^train_model +375$", submitted, re.MULTILINE)


def test_a_lab_can_pay_for_the_grid_of_the_paper(submitted):
    rows = {
        name: [float(number) for number in numbers.split()]
        for name, numbers in re.findall(
            r"^  ([A-Za-z1 ]+?)  +\d+((?: +\d+\.\d+){3})$", submitted, re.M
        )
    }
    hours, _, gigabytes = rows["together"]
    assert 100 < hours < 1000
    assert 10 < gigabytes < 200
    of_table1 = ("first phases of Table 1", "their scoring", "retraining of Table 1")
    assert 1 < sum(rows[name][0] for name in of_table1) < 12
    (longest,) = re.findall(r"The longest job: (\d+\.\d+) GPU hours", submitted)
    assert 1 < float(longest) < 48


def test_each_job_gets_a_gpu_of_its_own_without_a_scheduler(tmp_path):
    (tmp_path / "Snakefile").write_text(WORKFLOW.replace("{python}", sys.executable))
    (tmp_path / "hold.py").write_text(HOLD)
    command = [sys.executable, "-m", "snakemake", "--cores", "4", "--resources", "gpu=2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-2000:]
    held = [[float(x) for x in (tmp_path / f"{i}.txt").read_text().split()] for i in range(4)]
    assert {device for device, _, _ in held} == {0, 1}
    for (one, start, end), (other, begin, stop) in combinations(held, 2):
        assert one != other or end <= begin or stop <= start


@pytest.mark.parametrize(
    ("file", "rule"),
    [("training", "train_model"), ("scores", "score_samples"), ("pruning", "retrain_pruned")],
)
def test_rules_that_compute_on_a_gpu_ask_for_one(file, rule):
    text = (ROOT / f"workflow/rules/{file}.smk").read_text(encoding="utf-8")
    (body,) = re.findall(rf"^rule {rule}:\n(.*?)(?=^rule |\Z)", text, re.MULTILINE | re.DOTALL)
    assert "gpu=GPUS" in body
