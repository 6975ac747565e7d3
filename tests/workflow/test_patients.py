"""A study of patients: groups as units, a budget, private files, one draw a release."""

import json
import stat

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from running import PARTS, snakemake

PATIENTS, LIMIT = 24, 8.5
RUN = "results/clinic/resnet9/eps8/seed0/draw0"
RELEASED = f"{RUN}/full/released_scores.parquet"
STUDY = {
    "grid": {"datasets": ["clinic"], "models": ["resnet9"], "privacy": ["eps8"], "seeds": [0]},
    "datasets": {
        "clinic": {
            "source": "folder",
            "path": "images",
            "image_size": 8,
            "channels": 1,
            "group_pattern": r"^(patient\d+)_",
            "mean": [0.5],
            "std": [0.25],
            "delta": 1e-3,
            "budget": LIMIT,
            # 17 training and 7 test patients.
            "test_fraction": 0.3,
            "split_seed": 0,
        }
    },
    "models": {"resnet9": {"width": 4}},
    "training": {"default": {"epochs": 1, "batch_size": 8, "checkpoints": 2}},
    "privacy": {"unit": "group", "images_per_group": 2, "accountants": ["rdp"]},
    "scores": {"names": ["loss"]},
    "pruning": {"dataset": "clinic", "privacy": [], "scores": ["loss"]},
    "release": {"full": True},
    "federation": None,
}


@pytest.fixture(scope="module")
def clinic(copy_checkout):
    folder = copy_checkout(PARTS)
    rng = np.random.default_rng(0)
    for number in range(PATIENTS):
        name = ("ill", "well")[number % 2]
        (folder / "images" / name).mkdir(parents=True, exist_ok=True)
        for image in range(1 + number % 3):
            pixels = rng.integers(0, 256, (8, 8), dtype=np.uint8)
            path = folder / "images" / name / f"patient{number}_{image}.png"
            Image.fromarray(pixels).save(path)
    (folder / "clinic.yaml").write_text(yaml.safe_dump(STUDY))
    return folder


def run(folder, *arguments, check=True):
    return snakemake(folder, "--configfile", "clinic.yaml", *arguments, check=check)


def charges(folder, name):
    lines = (folder / "resources/budgets" / name).read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["kind"] == "charge"]


def test_a_study_of_patients(clinic):
    # Beyond the budget: one line, and nothing is trained or charged.
    overlay = clinic / "little.yaml"
    overlay.write_text("datasets: {clinic: {budget: 5}}\n")
    output = snakemake(
        clinic, "--configfile", "clinic.yaml", "little.yaml", "--", RELEASED, check=False
    )
    assert "datasets.clinic.budget: epsilon 5, but what was spent (0)" in output
    assert not (clinic / "resources/budgets/clinic.spent.jsonl").exists()
    assert not (clinic / RUN / "full").exists()

    run(clinic, "--", RELEASED, f"{RUN}/full/group_scores.parquet")
    described = json.loads((clinic / "resources/clinic/dataset.json").read_text())
    groups = described["groups"]["train"]
    assert groups < described["images"]["train"] and described["groups"]["in_both"] == 0
    (event,) = json.loads((clinic / RUN / "full/events.json").read_text())["events"]
    assert (event["unit"], event["samples"], event["randomness"]) == ("group", groups, "secret")
    assert len(pd.read_parquet(clinic / RUN / "full/group_scores.parquet")) == groups
    first = pd.read_parquet(clinic / RELEASED)
    assert list(first) == ["index", "loss"] and len(first) == groups
    trained, released = charges(clinic, "clinic.spent.jsonl")
    assert trained["epsilon"] < 8 and released["epsilon"] == pytest.approx(2, rel=1e-2)
    assert not list((clinic / "results").rglob("*.charged"))
    # Training leaves room for its release: together they meet the level.
    assert trained["epsilon"] + released["epsilon"] > 8 * 0.99

    for path in [*(clinic / "results").rglob("*"), *(clinic / "resources").rglob("*")]:
        if path.is_file():
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path

    # The same release is the same draw; another needs another number, and is charged.
    (clinic / RELEASED).unlink()
    run(clinic, "--", RELEASED)
    pd.testing.assert_frame_equal(pd.read_parquet(clinic / RELEASED), first)
    assert len(charges(clinic, "clinic.jsonl")) == 1
    output = run(clinic, "--config", "release={draw: 1}", "--", RELEASED, check=False)
    # It does not fit into the budget.
    assert "datasets.clinic.budget: epsilon 8.5" in output
    assert len(charges(clinic, "clinic.jsonl")) == 1


def test_a_release_from_a_full_run_that_leaves_no_room_for_it_is_refused(clinic):
    output = run(clinic, "--config", "release={full: false}", "-n", "--", RELEASED, check=False)
    assert "config: release.full is false: a full run at eps8 spends all of its epsilon" in output
    assert "Traceback" not in output
