"""What reruns after which change: job counts of dry runs over a finished study."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from running import MINIMAL, PARTS, planned, snakemake

CONFIG = ("--configfile", MINIMAL, "tests/workflow/reruns.yaml")
SCORE = """
from gradval.scores.registry import Score

def contrast(context, options):
    return context.images.flatten(1).std(1)

SCORE = Score(contrast, order=0)
"""
MODEL = """
from torch import nn

def build(*, channels, classes, image_size, width, groups):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * image_size**2, classes))
"""
# Jobs that read what every run of the grid left.
OVER_ALL_RUNS = {"collect_runs": 1, "plot_learning_curves": 1, "build_scorecard": 1}


@pytest.fixture(scope="module")
def finished(copy_checkout: Callable[..., Path]) -> Path:
    """A checkout in which a study has been run; not to be changed."""
    folder = copy_checkout(PARTS)
    snakemake(folder, *CONFIG)
    return folder


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, with everything that Snakemake knows."""
    folder = tmp_path / "study"
    shutil.copytree(finished, folder)
    return folder


def jobs_of(study: Path, *arguments: str) -> dict[str, int]:
    """Rule -> number of jobs that are to be run, without the target and the sum."""
    jobs = planned(study, *CONFIG, *arguments)
    return {rule: n for rule, n in jobs.items() if rule not in ("all", "total")}


def age_backwards(folder: Path) -> None:
    """Give every result a new time, the first made the latest: the worst that a copy can do."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    files.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for position, path in enumerate(files):
        os.utime(path, ns=(position * 10**9 + 1, position * 10**9 + 1))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, path
    path.write_text(text.replace(old, new))


def overlay(study: Path, text: str) -> str:
    (study / "more.yaml").write_text(text)
    return "more.yaml"


def test_touching_every_script_and_module_reruns_nothing(study: Path) -> None:
    for folder in ("workflow", "src"):
        for path in (study / folder).rglob("*"):
            path.touch()
    (study / "Snakefile").touch()
    assert jobs_of(study) == {}


def test_a_copy_of_a_finished_study_reruns_nothing(study: Path) -> None:
    for name in ("results", "resources", "logs"):
        age_backwards(study / name)
    assert jobs_of(study) == {}


def test_a_clone_with_the_results_copied_in_reruns_nothing(
    finished: Path, copy_checkout: Callable[..., Path]
) -> None:
    clone = copy_checkout(PARTS)
    for name in ("results", "resources"):
        shutil.copytree(finished / name, clone / name)
        age_backwards(clone / name)
    assert jobs_of(clone) == {}
    # What is missing is made, and what depends on it.
    (clone / "results/digits/resnet9/eps4/seed0/draw0/full/scores/vog.parquet").unlink()
    jobs = jobs_of(clone)
    assert jobs["score_samples"] == 1 and "train_model" not in jobs


def test_wording_and_layout_rerun_nothing(study: Path) -> None:
    for folder in ("src/gradval", "workflow/scripts"):
        for path in (study / folder).rglob("*.py"):
            text = path.read_text().replace('"""', '"""In other words: ', 1)
            path.write_text(f"{text}\n\n# A remark.\n")
    assert jobs_of(study) == {}


def test_vog_concerns_scores_and_what_is_made_of_them(study: Path) -> None:
    edit(study / "src/gradval/scores/vog.py", "squares / math.sqrt(count)", "squares / count**0.5")
    jobs = jobs_of(study)
    assert jobs["score_samples"] == 3  # two full runs and one first phase
    assert jobs["retrain_pruned"] == 1
    assert "train_model" not in jobs and "plan_privacy" not in jobs


def test_an_architecture_concerns_its_own_models(study: Path) -> None:
    edit(study / "src/gradval/models/resnets.py", "[2, 2, 2, 2]", "[2, 2, 2, 1]")
    assert jobs_of(study) == {}
    edit(study / "src/gradval/models/resnet9.py", "nn.MaxPool2d(2)", "nn.AvgPool2d(2)")
    jobs = jobs_of(study)
    assert jobs["train_model"] == jobs["score_samples"] == 3 and "plan_privacy" not in jobs


def test_a_new_entry_of_a_registry_concerns_nobody(study: Path) -> None:
    edit(
        study / "src/gradval/models/registry.py",
        '        "resnet18"',
        '        "mlp": "gradval.models.mlp:build",\n        "resnet18"',
    )
    edit(
        study / "src/gradval/scores/registry.py",
        '        "vog":',
        '        "contrast": "gradval.scores.contrast:SCORE",\n        "vog":',
    )
    assert jobs_of(study) == {}


def test_a_new_score_is_computed_alone(study: Path) -> None:
    (study / "my_scores").mkdir()
    module = study / "my_scores/contrast.py"
    module.write_text(SCORE)
    more = overlay(study, "scores: {names: [loss, grad_norm, vog, plis, my_scores.contrast]}")
    assert jobs_of(study, more) == {"score_samples_by": 2, "build_report": 1}
    snakemake(study, *CONFIG, more)
    assert jobs_of(study, more) == {}
    scores = study / "results/digits/resnet9/eps4/seed0/draw0/full/scores"
    assert (scores / "contrast.parquet").exists()
    edit(module, "std(1)", "var(1)")
    assert jobs_of(study, more) == {"score_samples_by": 2, "build_report": 1}


def test_a_new_model_is_trained_alone(study: Path) -> None:
    (study / "my_models.py").write_text(MODEL)
    more = overlay(
        study,
        "models: {linear: {architecture: my_models:build, width: 8, groups: 1}}\n"
        "grid: {models: [resnet9, linear]}\n",
    )
    own = {"plan_privacy": 2, "train_model": 2, "score_samples": 2, "write_ledgers": 2}
    shared = OVER_ALL_RUNS | {"measure_levels": 1, "build_privacy_cost": 1, "build_report": 1}
    assert jobs_of(study, more) == own | shared


def test_a_data_set_that_was_made_anew_counts_by_its_content(study: Path) -> None:
    store = "resources/digits/dataset.json"
    more = overlay(study, "datasets: {digits: {split_seed: 1}}")
    snakemake(study, store, *CONFIG, more)
    # In an invocation of its own: what depends on it is seen to be out of date.
    assert jobs_of(study, more)["train_model"] == 3
    snakemake(study, store, *CONFIG)
    assert jobs_of(study) == {}


def test_checkpoints_need_not_be_kept_and_are_made_again_for_a_new_score(study: Path) -> None:
    for file in study.rglob("checkpoints.safetensors"):
        file.unlink()
    deleted = ("--config", "cost={keep_checkpoints: false}")
    assert jobs_of(study, *deleted) == {}
    some = next(study.glob("results/*/*/nonprivate/seed*/draw*/full/scores/loss.parquet"))
    some.unlink()
    again = planned(study, str(some.relative_to(study)), *CONFIG, *deleted)
    assert again["train_model"] == again["score_samples"] == 1


def test_scores_made_in_shards_are_those_made_at_once(study: Path) -> None:
    run = next(study.glob("results/*/*/eps*/seed*/draw*/full"))
    loss, vog = (run / f"scores/{name}.parquet" for name in ("loss", "vog"))
    target = str(loss.relative_to(study))
    kept = []
    for shards in (1, 3):
        loss.unlink()
        options = ("--config", f"scores={{shards: {shards}, batch_size: 32}}")
        jobs = planned(study, target, *CONFIG, *options)
        assert jobs.get("score_shard", 0) == (shards if shards > 1 else 0)
        assert "train_model" not in jobs
        snakemake(study, target, *CONFIG, *options)
        kept.append((loss.read_bytes(), vog.read_bytes()))
    assert kept[0] == kept[1]
    assert not list(run.glob("shards/*/*"))
