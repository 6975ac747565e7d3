"""`snakemake --profile slurm` on a real SLURM: a study, then faults in the middle of it.

The study is run undisturbed first; what the faults leave must be equal to it.
"""

import re
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

FULL = "results/digits/resnet9/{}/seed0/draw0/full/{}"
LONGEST = 1200  # seconds: these tests wait for others that share the machine, not for a clock
STUDY = ("table1", "figure3")  # of these targets: every rule that takes long or asks for a GPU
LOG = "logs/train_model/digits/resnet9/{}/seed0/draw0/full.log"


def planned(submit, *targets, **options):
    """Rule -> number of jobs that would be submitted, for everything unless targets are named."""
    run = submit(*targets, "--dry-run", "--quiet", "rules", **options)
    assert run.wait(timeout=LONGEST) == 0, run.log.read_text()[-2000:]
    text = run.log.read_text().split("Job stats:")[-1]
    return {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", text, re.M)}


def freeze_training(cluster, level, state, after=0.0):
    """Stop a training for good once it has saved a state later than `after`, lest it ends too soon.

    Returns:
        The job it runs in, as `Cluster.jobs` describes it.
    """
    cluster.wait_for(
        lambda: state.exists() and state.stat().st_mtime > after, f"later state of {level}"
    )
    job = [job for job in cluster.jobs_of("train_model") if level in job["Comment"]][-1]
    cluster.freeze(job["JobId"], "train_model.py")
    return job


def restarted(cluster):
    """Whether the last training runs again after it was sent back to the queue."""
    job = cluster.jobs_of("train_model")[-1]
    return job["Restarts"] == "1" and job["JobState"] == "RUNNING"


def first_step(log):
    """The step at which a training began to show its progress: above 0 if it was resumed."""
    return int(re.search(r" (\d+)/\d+ \[", log.read_text()).group(1))


@pytest.fixture(scope="module")
def runs(cluster, checkout, submit):
    """The study, and beside it runs that fail in their own ways, on one cluster.

    Returns:
        name -> finished Snakemake process.
    """
    config = ["tests/slurm/config.yaml", "tests/slurm/faults.yaml"]
    study = submit(*STUDY)
    # Before the first Snakemake knows that the data are complete, another would make them anew.
    cluster.wait_for(lambda: cluster.jobs_of("plan"), "data")
    slow = submit(
        FULL.format("eps2", "scores/vog.parquet"),
        "--nolock",
        "--set-resources",
        "train_model:runtime=10 if attempt == 1 else 20",
        "train_model:slurm_extra='--nodelist=n2'",
        "score_samples:mem_mb=300 if attempt == 1 else 4000",
        config=config,
    )
    failing = submit(
        FULL.format("eps3", "weights.safetensors"),
        FULL.format("eps5", "weights.safetensors"),
        "--nolock",
        "--retries=0",
        config=config,
    )
    # Its time is up only now: from the start, it might be up before anything has been saved.
    job = freeze_training(cluster, "eps2", checkout / FULL.format("eps2", "resume.pt"))
    cluster.run("scontrol", "update", f"JobId={job['JobId']}", "TimeLimit=1")
    for run in (failing, study, slow):
        run.wait(timeout=LONGEST)
    return {"study": study, "failing": failing, "slow": slow}


@pytest.fixture(scope="module")
def finished(runs, checkout):
    """The checkout after the study."""
    assert runs["study"].returncode == 0, runs["study"].log.read_text()[-4000:]
    return checkout


@pytest.fixture(scope="module")
def lost(finished, cluster, submit):
    """A training of the study again: preempted, under a restarting controller, on a dying node.

    Only now: SLURM 22.05 never frees the GPUs of jobs that ran while its controller restarted.

    Returns:
        Finished Snakemake process, node that died, step at which the training resumed before.
    """
    folder = finished / FULL.format("eps4", "")
    folder.rename(finished / "undisturbed")
    run = submit(FULL.format("eps4", "weights.safetensors"), "--nolock")
    state = folder / "resume.pt"
    cluster.preempt(freeze_training(cluster, "eps4", state)["NodeList"])
    cluster.wait_for(lambda: restarted(cluster), "second start of eps4")
    job = freeze_training(cluster, "eps4", state, after=state.stat().st_mtime)
    preempted = first_step(finished / LOG.format("eps4"))
    visible = {
        env.get("CUDA_VISIBLE_DEVICES") for env in cluster.processes([job["JobId"]]).values()
    }
    assert visible & {"0", "1"} and not visible - {"0", "1", None}
    cluster.stop_controller()
    time.sleep(2)
    cluster.start_controller()
    cluster.kill_node(job["NodeList"])
    run.wait(timeout=LONGEST)
    return run, job["NodeList"], preempted


def test_the_study_completes(finished):
    for name in ("table1.md", "figures/table1.png", "figures/figure3.pdf"):
        assert (finished / "results" / name).stat().st_size > 500


def test_gpu_rules_get_gpus_and_others_none(finished, cluster):
    for job in cluster.jobs():
        rule = job["Comment"]
        wants = any(name in rule for name in ("train_model", "score_samples", "retrain_pruned"))
        assert ("gres:gpu:1" in job.get("TresPerJob", "")) == wants, job


def test_every_job_fits_on_a_node_of_one_core(finished, cluster):
    assert {job["NumCPUs"] for job in cluster.jobs()} == {"1"}


def test_a_refused_submission_says_what_slurm_said(finished, submit):
    refused = submit(
        "results/digits/resnet9/eps7/plan.json",
        "--nolock",
        "--retries=0",
        "--set-resources",
        "plan_privacy:mem_mb=99000000",
    )
    assert refused.wait(timeout=LONGEST) == 1
    assert "Memory specification can not be satisfied" in refused.log.read_text()


def test_only_what_is_new_or_changed_is_submitted(finished, submit):
    assert planned(submit, *STUDY) == {}
    added = finished / "added.yaml"
    config = ["tests/slurm/config.yaml", added]
    added.write_text("grid: {seeds: [0, 1]}")
    jobs = planned(submit, config=config)
    assert jobs["train_model"] == 2 + 1 and jobs["retrain_pruned"] == 1
    assert "plan_privacy" not in jobs
    added.write_text("grid: {models: [resnet9, resnet18]}")
    jobs = planned(submit, config=config)
    assert jobs["train_model"] == jobs["score_samples"] == jobs["plan_privacy"] == 2
    assert "retrain_pruned" not in jobs
    added.write_text("grid: {privacy: [nonprivate, eps4, eps8]}")
    jobs = planned(submit, config=config)
    assert jobs["train_model"] == jobs["score_samples"] == jobs["plan_privacy"] == 1
    added.write_text("scores: {options: {vog: {statistic: std}}}")
    jobs = planned(submit, config=config)
    assert jobs["score_samples"] == 3 and "train_model" not in jobs


def test_preemption_a_lost_node_and_a_restarted_controller_lose_nothing(lost, finished, cluster):
    run, dead, preempted = lost
    assert run.returncode == 0, run.log.read_text()[-4000:]
    job = cluster.jobs_of("train_model")[-1]
    assert int(job["Restarts"]) >= 2 and job["NodeList"] != dead
    assert 0 < preempted < first_step(finished / LOG.format("eps4"))
    for name in ("weights.safetensors", "checkpoints.safetensors"):
        again = load_file(finished / FULL.format("eps4", name))
        undisturbed = load_file(finished / "undisturbed" / name)
        assert again.keys() == undisturbed.keys()
        assert all(again[key].equal(undisturbed[key]) for key in again)


def test_a_failing_job_leaves_the_others_alone_and_says_who_it_was(runs, checkout):
    assert runs["failing"].returncode == 1
    assert (checkout / FULL.format("eps5", "weights.safetensors")).exists()
    assert not (checkout / FULL.format("eps3", "weights.safetensors")).exists()
    message = runs["failing"].log.read_text().split("Error in rule train_model")[1]
    for part in ("(job train_model digits/resnet9/eps3/seed0/draw0/full)", LOG.format("eps3")):
        assert part in message
    assert "lower the learning rate" in message


def test_a_job_out_of_time_comes_back_with_more_and_resumes(runs, checkout, cluster):
    assert runs["slow"].returncode == 0, runs["slow"].log.read_text()[-4000:]
    jobs = [job for job in cluster.jobs_of("train_model") if "eps2" in job["Comment"]]
    ends = [(job["TimeLimit"], job["JobState"]) for job in jobs]
    assert ends == [("00:01:00", "TIMEOUT"), ("00:20:00", "COMPLETED")]
    assert first_step(checkout / LOG.format("eps2")) > 0


def test_a_job_out_of_memory_comes_back_with_more(runs, cluster):
    jobs = [job for job in cluster.jobs_of("score_samples") if "eps2" in job["Comment"]]
    assert [job["MinMemoryNode"] for job in jobs] == ["300M", "4000M"]
    assert jobs[1]["JobState"] == "COMPLETED"
    assert "exceeded memory limit" in Path(jobs[0]["StdErr"]).read_text()
