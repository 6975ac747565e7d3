"""Rounds of federated DP-SGD: equal to central training, with its noise, surviving faults."""

import json
import math
import time
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from gradval.data.images import NormalisedImages
from gradval.data.store import Split, Store
from gradval.federation.plans import AveragePlan, Job, SumPlan, plan_for, read_job, write_job
from gradval.federation.rounds import (
    Journal,
    SiteWorker,
    digest_of,
    problem_of,
    site_key,
    weights_of,
)
from gradval.federation.site_store import write_site
from gradval.federation.sites import Site
from gradval.federation.training import train_sites
from gradval.ghost import clipped_gradient_sum
from gradval.models.architectures import build_model, model_for
from gradval.privacy.events import read_events, training_event
from gradval.privacy.keystream import derive_key
from gradval.privacy.plan import PhasePlan
from gradval.training.checkpoints import load_weights
from gradval.training.loop import Trainer, TrainingData
from gradval.training.recipe import Recipe
from gradval.training.run import RunFiles, train_run

MODEL = {"architecture": "cnn", "channels": 1, "classes": 4, "image_size": 8, "width": 8,
         "groups": 4, "seed": 0}  # fmt: skip
OPTIONS = {"architecture": "cnn", "width": 8, "groups": 4}
SIZES = (30, 10, 20)
SUM = SumPlan(0.5, 6, 0.0, 1.0, 3, 30.0, 3)
AVERAGE = AveragePlan(0.5, 6, 2, 0.0, 1.0, 3, SIZES)
PLANS = {"sum": SUM, "average": AVERAGE}
RECIPE = Recipe(
    epochs=3, first_epochs=1, second_epochs=1, batch_size=30, physical_batch_size=64,
    learning_rate=0.5, schedule="cosine", warmup=0.0, momentum=0.9, weight_decay=0.0,
    ema_decay=0.5, clipping_norm=1.0, clipping="bookkeeping", checkpoints=2,
)  # fmt: skip


def held(site):
    rng = np.random.default_rng(site)
    images = rng.integers(0, 256, (SIZES[site], 1, 8, 8), dtype=np.uint8)
    return Split(
        images, rng.integers(0, 4, SIZES[site]), [f"{site}/{i}" for i in range(SIZES[site])]
    )


def job_of(plan):
    return Job(MODEL, plan, RECIPE, 30.0)


def worker(site, plan=SUM, folder=None, key=b"k" * 32):
    split = held(site)
    return SiteWorker(
        build_model(**MODEL),
        NormalisedImages(split.images, (0.5,), (0.25,)),
        torch.from_numpy(split.labels),
        job_of(plan),
        key=derive_key(key, site),
        journal=folder and Journal(folder / f"journal{site}.jsonl"),
        most=7,
    )


def flat(arrays):
    return np.concatenate([np.ravel(a) for a in arrays])


def test_the_sites_sums_are_the_central_sum():
    """Noise off, the same draws: the clipped sum of the union, to rounding in float32."""
    model = build_model(**MODEL)
    splits = [held(site) for site in range(3)]
    images = NormalisedImages(np.concatenate([s.images for s in splits]), (0.5,), (0.25,))
    labels = torch.from_numpy(np.concatenate([s.labels for s in splits]))
    drawn = torch.rand(sum(SIZES), generator=torch.Generator().manual_seed(0)) < 0.5
    central = clipped_gradient_sum(model, images[drawn.nonzero()[:, 0]], labels[drawn], 1.0).sums
    total = None
    for site, mask in enumerate(drawn.split(SIZES)):
        sums = worker(site).clipped_sums(mask.nonzero()[:, 0], 1.0)
        total = sums if total is None else [a + b for a, b in zip(total, sums, strict=True)]
    both = [torch.cat([t.flatten() for t in tensors]) for tensors in (total, central.values())]
    assert (both[0] - both[1]).norm() <= 1e-6 * both[1].norm()
    assert both[1].norm() > 1


def test_the_noise_of_all_sites_together_is_that_of_central_training():
    weights = weights_of(build_model(**MODEL))
    noisy = replace(SUM, noise_multiplier=4.0, sampling_rate=1.0)
    difference = []
    for number in (1, 2, 3):
        plans = (noisy, replace(noisy, noise_multiplier=0.0))
        sums = [
            sum(flat(worker(site, plan).answer(number, weights)) for site in range(3))
            for plan in plans
        ]
        difference.append(sums[0] - sums[1])
    values = np.concatenate(difference)
    # Of the standard deviation, 1 / sqrt(2 n) is its relative error.
    assert values.std() == pytest.approx(4.0, rel=5 / math.sqrt(2 * len(values)))
    assert not np.array_equal(difference[0], difference[1])
    assert noisy.share == pytest.approx(4 / math.sqrt(3))


def test_a_site_that_averages_adds_all_of_the_noise_itself():
    weights = weights_of(build_model(**MODEL))
    once = replace(AVERAGE, local_steps=1, sampling_rate=1.0, noise_multiplier=4.0)
    moved = [
        flat(worker(1, plan).answer(1, weights))
        for plan in (once, replace(once, noise_multiplier=0.0))
    ]
    # One step at the rate of the first round, over the expected 10 samples.
    noise = (moved[0] - moved[1]) / RECIPE.learning_rate_at(0, 6) * 10
    assert noise.std() == pytest.approx(4.0, rel=5 / math.sqrt(2 * len(noise)))


@pytest.mark.parametrize("method", PLANS)
def test_other_weights_get_other_noise_and_no_second_answer(tmp_path, method):
    weights = weights_of(build_model(**MODEL))
    noisy = replace(PLANS[method], noise_multiplier=1.0)
    site = worker(0, noisy, tmp_path)
    first, again = (site.answer(1, weights) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    other = [w + 1e-7 for w in weights]
    with pytest.raises(ValueError, match="round 1 was answered for other weights"):
        site.answer(1, other)
    # A site that was started anew knows it too.
    with pytest.raises(ValueError, match="answered for other weights"):
        worker(0, noisy, tmp_path).answer(1, other)
    with pytest.raises(ValueError, match="round 7, but the plan has 6"):
        site.answer(7, weights)
    assert digest_of(weights) != digest_of(other)
    # Other noise for another job: no difference of two trainings takes it away.
    quiet = worker(0, replace(noisy, steps=5) if method == "sum" else replace(noisy, rounds=5))
    assert not np.array_equal(flat(quiet.answer(1, weights)), flat(first))


def test_rubbish_is_known_as_such():
    weights = weights_of(build_model(**MODEL))
    assert problem_of(weights, weights) == ""
    assert problem_of(weights[1:], weights) == "wrong shape"
    assert problem_of([*weights[:-1], weights[-1] * np.nan], weights) == "not finite"


def test_a_key_is_made_once_and_must_be_whole(tmp_path):
    key = site_key(tmp_path / "key")
    assert site_key(tmp_path / "key") == key and len(key) == 32
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(ValueError, match="a key has 32 bytes, not 5"):
        site_key(tmp_path / "key")


@pytest.mark.parametrize("method", PLANS)
def test_a_job_is_what_was_written(tmp_path, method):
    job = job_of(PLANS[method])
    write_job(tmp_path / "job.json", job)
    assert read_job(tmp_path / "job.json").digest == job.digest
    (tmp_path / "job.json").write_text('{"method": "vote"}')
    with pytest.raises(ValueError, match=r"job\.json: not a job of federated training"):
        read_job(tmp_path / "job.json")


# --- All sites in one process, as the workflow trains them ---------------------------------------

PHASE = PhasePlan(60, 1.0, 6, 0.8)


def store_of():
    splits = [held(site) for site in range(3)]
    train = Split(
        np.concatenate([s.images for s in splits]),
        np.concatenate([s.labels for s in splits]),
        [name for s in splits for name in s.ids],
    )
    return Store("toy", ("a", "b", "c", "d"), (0.5,), (0.25,), train, held(0), {})


def sites_of():
    ends = np.cumsum((0, *SIZES))
    return [Site(i, np.arange(ends[i], ends[i + 1]), held(i)) for i in range(3)]


def train(folder, method, phase=PHASE, **others):
    folder.mkdir(parents=True, exist_ok=True)
    files = RunFiles.in_folder(folder, checkpoints=True)
    shared = {"model_options": OPTIONS, "recipe": RECIPE, "phase": phase, "seed": 0,
              "stream": "toy", "files": files}  # fmt: skip
    if method == "central":
        train_run(store_of(), **shared, progress=False)
        return None
    return train_sites(store_of(), sites_of(), method=method, local_steps=2, **(shared | others))


def test_sums_train_the_model_of_central_training():
    """Without noise, and with every sample in every step, so that the draws are the same."""
    store, sites = store_of(), sites_of()
    model, data = model_for(store, OPTIONS, 0), store.train
    images = NormalisedImages(data.images, store.mean, store.std)
    labels = torch.from_numpy(data.labels)
    trainer = Trainer(model, TrainingData(images, labels, images, labels),
                      PHASE.with_noise(0.0), RECIPE, key=b"k" * 32)  # fmt: skip
    central = trainer.run().weights

    from gradval.federation.coordinator import Coordinator

    plan = plan_for("sum", PHASE.with_noise(0.0), SIZES, 1.0)
    job = Job(OPTIONS, plan, RECIPE)
    coordinator = Coordinator(model_for(store, OPTIONS, 0), job)
    workers = [
        SiteWorker(
            model_for(store, OPTIONS), NormalisedImages(s.split.images, store.mean, store.std),
            torch.from_numpy(s.split.labels), job, key=b"k" * 32,
        )
        for s in sites
    ]  # fmt: skip
    while not coordinator.over:
        number, weights = coordinator.question()
        coordinator.take({i: worker.answer(number, weights) for i, worker in enumerate(workers)})
    start = model_for(store, OPTIONS, 0).state_dict()
    federated = coordinator.checkpoints[-1]
    moved = flat([central[n] - start[n] for n in central])
    apart = flat([federated[n] - central[n] for n in central])
    assert np.linalg.norm(apart) <= 1e-5 * np.linalg.norm(moved) and np.linalg.norm(moved) > 0.1


def test_sums_execute_what_central_training_executes(tmp_path):
    train(tmp_path / "central", "central")
    executed = train(tmp_path / "sum", "sum")
    a, b = (read_events(tmp_path / name / "events.json") for name in ("central", "sum"))
    assert a == b and list(executed.values()) == [a] * 3
    # The state of a training is the caller's to remove, and has other names each time.
    names = {p.name for p in (tmp_path / "central").iterdir() if "resume" not in p.name}
    assert {path.name for path in (tmp_path / "sum").iterdir()} >= names
    assert not torch.equal(*(
        load_weights(tmp_path / name / "weights.safetensors")["0.weight"]
        for name in ("central", "sum")
    ))  # fmt: skip


def test_averages_are_accounted_for_site_by_site(tmp_path):
    executed = train(tmp_path, "average")
    assert {name: e.events[0].samples for name, e in executed.items()} == {
        "site0": 30, "site1": 10, "site2": 20,
    }  # fmt: skip
    event = read_events(tmp_path / "events.json").events[0]
    assert (event.steps, event.sampling_rate, event.noise_multiplier) == (6, 1.0, 0.8)
    assert len({e.events[0].accounted() for e in executed.values()} | {event.accounted()}) == 1


def test_averages_weigh_sites_by_their_public_sizes():
    from gradval.federation.coordinator import Coordinator

    model = build_model(**MODEL)
    coordinator = Coordinator(model, job_of(replace(AVERAGE, least=2)))
    number, weights = coordinator.question()
    assert number == 1
    assert coordinator.take({2: [w + 1 for w in weights], 0: [w - 1 for w in weights]})
    moved = flat(weights_of(model)) - flat(weights)
    assert moved == pytest.approx((20 - 30) / 50, abs=1e-5)


@pytest.mark.parametrize("method", PLANS)
def test_an_interrupted_training_ends_as_one_that_was_not(tmp_path, method, monkeypatch):
    train(tmp_path / "whole", method)
    from gradval.federation import training
    from gradval.training.signals import Interrupted

    real = training.Coordinator.take

    def killed(self, answers):
        if self.number == 1:
            import signal

            signal.raise_signal(signal.SIGTERM)
        return real(self, answers)

    monkeypatch.setattr(training.Coordinator, "take", killed)
    with pytest.raises(Interrupted, match="interrupted after round 2"):
        train(tmp_path / "broken", method)
    monkeypatch.undo()
    train(tmp_path / "broken", method)
    for name in ("weights.safetensors", "checkpoints.safetensors", "metrics.csv"):
        a, b = ((tmp_path / run / name).read_bytes() for run in ("whole", "broken"))
        assert a == b


def test_what_federated_training_cannot_do_is_said(tmp_path):
    with pytest.raises(ValueError, match="sum needs augmentation none, not flip"):
        train(tmp_path, "sum", recipe=replace(RECIPE, augmentation="flip"))
    with pytest.raises(ValueError, match="local_steps: 2 in a round, but training has 1"):
        train(tmp_path, "average", phase=replace(PHASE, steps=1))


# --- Flower's apps --------------------------------------------------------------------------------


def federate(folder, plan, faults=None, timeout=30.0, client=None):
    """Run the two apps with three sites; faults: (round, site) -> what happens there."""
    flower = pytest.importorskip("flwr.app")
    from gradval.federation.apps import client_app, server_app
    from gradval.federation.local import run_local

    job = Job(MODEL, plan, RECIPE, timeout)
    for site in range(3):
        write_site(folder / f"site{site}", held(site), mean=(0.5,), std=(0.25,), job=job)
        (folder / f"site{site}/key").write_bytes(derive_key(b"k", site))
    write_job(folder / "job.json", job)

    def answer(message, context):
        where = int(message.content["config"]["round"]), int(context.node_config["partition-id"])
        fault = (faults or {}).get(where)
        if fault == "raise":
            raise RuntimeError("lost")
        reply = client_app.app(message, context)
        arrays = reply.content["answer"].to_numpy_ndarrays()
        if fault == "nan":
            arrays[0][:] = np.nan
        if fault == "late":
            time.sleep(timeout + 1)
        if fault == "stranger":
            reply.content["metrics"] = flower.MetricRecord({"site": 7})
        reply.content["answer"] = flower.ArrayRecord(arrays[1:] if fault == "shape" else arrays)
        return reply

    config = {"job": str(folder / "job.json"), "out": str(folder), "sites": str(folder),
              "test": str(folder / "site0")}  # fmt: skip
    run_local(server_app.app, client or answer, 3, config, workers=3)
    rounds = json.loads((folder / "rounds.json").read_text())["rounds"]
    return load_weights(folder / "weights.safetensors"), rounds


@pytest.mark.parametrize("method", PLANS)
def test_sites_that_fail_neither_end_the_run_nor_weaken_it(tmp_path, method):
    faults = {(2, 0): "raise", (3, 1): "nan", (4, 2): "shape", (5, 1): "late", (6, 2): "stranger"}
    plan = replace(PLANS[method], least=2, noise_multiplier=1.0)
    weights, rounds = federate(tmp_path, plan, faults, timeout=10.0)
    assert [entry["sites"] for entry in rounds] == [
        [0, 1, 2], [1, 2], [0, 2], [0, 1], [0, 2], [0, 1]
    ]  # fmt: skip
    problems = [" ".join(entry["problems"]) for entry in rounds]
    said = ("", "lost", "not finite", "wrong shape", "no answer", "not an answer")
    assert all(word in problem for word, problem in zip(said, problems, strict=True))
    assert all(entry["step"] for entry in rounds)
    assert all(torch.isfinite(w).all() for w in weights.values())
    # What a site was asked for it counts, used or not; site 0 was never asked in round 2.
    steps = [read_events(tmp_path / f"site{i}/events.json").events[0].steps for i in range(3)]
    assert steps == [plan.steps_a_round * rounds for rounds in (5, 6, 6)]
    model = read_events(tmp_path / "events.json").events[0]
    assert model.steps == 6 * plan.steps_a_round and model.noise_multiplier == 1.0
    assert model.randomness == "secret"
    # The site's own account is that of its own samples where it trusts nobody.
    samples = read_events(tmp_path / "site1/events.json").events[0].samples
    assert samples == (60 if method == "sum" else 10)


@pytest.mark.parametrize("method", PLANS)
def test_a_round_with_too_few_sites_makes_no_step(tmp_path, method):
    every = {(number, 0): "raise" for number in range(1, 7)}
    weights, rounds = federate(tmp_path, PLANS[method], every)
    assert not any(entry["step"] for entry in rounds)
    start = build_model(**MODEL).state_dict()
    assert all(torch.equal(weights[name], start[name]) for name in start)


def test_a_server_that_is_killed_goes_on_and_ends_the_same(tmp_path, monkeypatch):
    pytest.importorskip("flwr.app")
    plan = replace(SUM, noise_multiplier=1.0)
    whole, _ = federate(tmp_path / "whole", plan)
    from gradval.federation.apps import server_app

    real, asked = server_app.ask, []

    def killed(grid, number, weights, job):
        found = real(grid, number, weights, job)
        asked.append(number)
        if number == 3 and asked.count(3) == 1:
            raise RuntimeError("power cut")  # the sites have answered, nobody has noted it
        return found

    monkeypatch.setattr(server_app, "ask", killed)
    with pytest.raises(RuntimeError, match="power cut"):
        federate(tmp_path / "broken", plan)
    again, rounds = federate(tmp_path / "broken", plan)
    assert asked == [1, 2, 3, 3, 4, 5, 6] and len(rounds) == 6
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    names = {"weights.safetensors", "checkpoints.safetensors", "events.json", "metrics.csv"}
    assert names <= {path.name for path in (tmp_path / "broken").iterdir()}


def test_a_site_answers_for_no_other_job_than_its_own(tmp_path):
    pytest.importorskip("flwr.app")
    from gradval.federation.apps import client_app

    quieter = replace(SUM, noise_multiplier=0.5)

    def client(message, context):
        folder = tmp_path / f"site{context.node_config['partition-id']}"
        write_job(folder / "job.json", Job(MODEL, quieter, RECIPE, 30.0))
        return client_app.app(message, context)

    _, rounds = federate(tmp_path, SUM, client=client)
    assert all("the job that was asked for is not" in e["problems"][0] for e in rounds)
    assert not list(tmp_path.glob("site*/rounds.jsonl"))


def test_the_event_of_a_plan_is_that_of_its_phase():
    phase = PhasePlan(60, 0.25, 20, 1.1)
    plan = plan_for("sum", phase, SIZES, 1.0)
    event = training_event(plan.executed(20), name="full", clipping_norm=1.0)
    assert event == training_event(phase, name="full", clipping_norm=1.0)
    assert asdict(plan)["batch_size"] == pytest.approx(phase.expected_batch_size)
