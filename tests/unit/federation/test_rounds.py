"""Rounds of federated DP-SGD: equal to central sums, noise of the right size, faults survived."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from gradval.data.images import NormalisedImages
from gradval.data.store import Split
from gradval.federation.rounds import (
    Journal,
    SiteWorker,
    SumPlan,
    digest_of,
    problem_of,
    site_key,
    weights_of,
)
from gradval.federation.site_store import write_site
from gradval.ghost import clipped_gradient_sum
from gradval.models.architectures import build_model
from gradval.privacy.keystream import derive_key

MODEL = {"architecture": "cnn", "channels": 1, "classes": 4, "image_size": 8, "width": 8,
         "groups": 4, "seed": 0}  # fmt: skip
PLAN = SumPlan(0.5, 6, 0.0, 1.0, 3, 30.0)
SIZES = (30, 10, 20)


def held(site):
    rng = np.random.default_rng(site)
    images = rng.integers(0, 256, (SIZES[site], 1, 8, 8), dtype=np.uint8)
    return Split(
        images, rng.integers(0, 4, SIZES[site]), [f"{site}/{i}" for i in range(SIZES[site])]
    )


def worker(site, folder, key=b"k" * 32):
    split = held(site)
    return SiteWorker(
        build_model(**MODEL),
        NormalisedImages(split.images, (0.5,), (0.25,)),
        torch.from_numpy(split.labels),
        key=derive_key(key, site),
        journal=Journal(folder / f"journal{site}.jsonl"),
        most=7,
    )


def test_the_sites_sums_are_the_central_sum(tmp_path):
    """Noise off, the same draws: the clipped sum of the union, to rounding in float32."""
    model = build_model(**MODEL)
    splits = [held(site) for site in range(3)]
    images = NormalisedImages(np.concatenate([s.images for s in splits]), (0.5,), (0.25,))
    labels = torch.from_numpy(np.concatenate([s.labels for s in splits]))
    drawn = torch.rand(sum(SIZES), generator=torch.Generator().manual_seed(0)) < 0.5
    central = clipped_gradient_sum(model, images[drawn.nonzero()[:, 0]], labels[drawn], 1.0).sums
    total = None
    for site, mask in enumerate(drawn.split(SIZES)):
        sums = worker(site, tmp_path).clipped_sums(mask.nonzero()[:, 0], 1.0)
        total = sums if total is None else [a + b for a, b in zip(total, sums, strict=True)]
    both = [torch.cat([t.flatten() for t in tensors]) for tensors in (total, central.values())]
    assert (both[0] - both[1]).norm() <= 1e-6 * both[1].norm()
    assert both[1].norm() > 1


def test_the_noise_of_all_sites_together_is_that_of_central_training(tmp_path):
    weights = weights_of(build_model(**MODEL))
    noisy = replace(PLAN, noise_multiplier=4.0)
    difference = []
    for number in (1, 2, 3):
        total = 0.0
        for site in range(3):
            of_site = worker(site, tmp_path)
            answers = [
                np.concatenate([a.ravel() for a in of_site.answer(number, weights, plan).sums])
                for plan in (noisy, PLAN)
            ]
            total = total + (answers[0] - answers[1])
        difference.append(total)
    values = np.concatenate(difference)
    # Of the standard deviation, 1 / sqrt(2 n) is its relative error.
    assert values.std() == pytest.approx(4.0, rel=5 / math.sqrt(2 * len(values)))
    assert not np.array_equal(difference[0], difference[1])
    assert noisy.share == pytest.approx(4 / math.sqrt(3))


def test_other_weights_get_other_noise_and_no_second_answer(tmp_path):
    weights = weights_of(build_model(**MODEL))
    noisy = replace(PLAN, noise_multiplier=1.0)
    site = worker(0, tmp_path)
    first, again = (site.answer(1, weights, noisy).sums for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    other = [w + 1e-7 for w in weights]
    with pytest.raises(ValueError, match="round 1 was answered for other weights"):
        site.answer(1, other, noisy)
    # A site that was started anew knows it too.
    with pytest.raises(ValueError, match="answered for other weights"):
        worker(0, tmp_path).answer(1, other, noisy)
    with pytest.raises(ValueError, match="round 7, but the plan has 6"):
        site.answer(7, weights, noisy)
    assert digest_of(weights) != digest_of(other)


def test_rubbish_is_known_as_such(tmp_path):
    weights = weights_of(build_model(**MODEL))
    assert problem_of(weights, weights) == ""
    assert problem_of(weights[1:], weights) == "wrong shape"
    assert problem_of([np.full_like(w, np.nan) for w in weights], weights) == "not finite"
    with pytest.raises(ValueError, match="not those of this model"):
        worker(0, tmp_path).answer(1, weights[1:], PLAN)


def test_a_key_is_made_once_and_kept_to_oneself(tmp_path):
    path = tmp_path / "key"
    assert site_key(path) == site_key(path) and path.stat().st_mode & 0o077 == 0
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match="32 bytes, not 5"):
        site_key(path)


# --- In one process on Flower ---------------------------------------------------------------------


def federate(folder, faults=None, plan=PLAN, timeout=30.0):
    """Run the two apps with three sites; faults: (round, site) -> what happens there."""
    flower = pytest.importorskip("flwr.app")
    from gradval.federation.apps import client_app, server_app
    from gradval.federation.local import run_local

    for site in range(3):
        write_site(folder / f"site{site}", held(site), mean=(0.5,), std=(0.25,), model=MODEL)
        (folder / f"site{site}/key").write_bytes(derive_key(b"k", site))
    job = {"model": MODEL, "plan": vars(plan), "learning_rate": 0.5, "momentum": 0.0,
           "timeout": timeout}  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job))

    def client(message, context):
        where = int(message.content["config"]["round"]), int(context.node_config["partition-id"])
        fault = (faults or {}).get(where)
        if fault == "raise":
            raise RuntimeError("lost")
        reply = client_app.app(message, context)
        sums = reply.content["sums"].to_numpy_ndarrays()
        if fault == "nan":
            sums[0][:] = np.nan
        if fault == "shape":
            sums = sums[1:]
        if fault == "late":
            import time

            time.sleep(timeout + 1)
        reply.content["sums"] = flower.ArrayRecord(sums)
        return reply

    config = {"job": str(folder / "job.json"), "out": str(folder), "sites": str(folder)}
    run_local(server_app.app, client, 3, config, workers=3)
    from gradval.training.checkpoints import load_weights

    rounds = json.loads((folder / "rounds.json").read_text())
    return load_weights(folder / "weights.safetensors"), rounds


def test_sites_that_fail_neither_end_the_run_nor_weaken_it(tmp_path):
    faults = {(2, 0): "raise", (3, 1): "nan", (4, 2): "shape"}
    weights, log = federate(tmp_path, faults, replace(PLAN, least=2, noise_multiplier=1.0))
    assert [entry["sites"] for entry in log["rounds"]] == [
        [0, 1, 2], [1, 2], [0, 2], [0, 1], [0, 1, 2], [0, 1, 2]
    ]  # fmt: skip
    assert "lost" in log["rounds"][1]["problems"][0]
    assert log["rounds"][2]["problems"] == ["not finite"]
    assert log["rounds"][3]["problems"] == ["wrong shape"]
    assert log["steps"] == 6 and all(torch.isfinite(w).all() for w in weights.values())


def test_a_round_with_too_few_sites_makes_no_step(tmp_path):
    every = {(number, 0): "raise" for number in range(1, 7)}
    weights, log = federate(tmp_path, every)
    assert not any(entry["step"] for entry in log["rounds"])
    start = build_model(**MODEL).state_dict()
    assert all(torch.equal(weights[name], start[name]) for name in start)


def test_the_run_is_the_same_again(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    a, b = (federate(tmp_path / name)[0] for name in "ab")
    assert all(torch.equal(a[name], b[name]) for name in a)
