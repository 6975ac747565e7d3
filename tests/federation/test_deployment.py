"""Federated training by real processes: TLS, keys, a node that is killed and comes back."""

import json
import shutil
import time

import numpy as np
import pytest

from gradval.data.store import Split
from gradval.federation.plans import AveragePlan, Job, write_job
from gradval.federation.site_store import write_site
from gradval.privacy.events import read_events
from gradval.training.recipe import Recipe

pytest.importorskip("flwr")
if not (shutil.which("openssl") and shutil.which("ssh-keygen")):
    pytest.skip("needs openssl and ssh-keygen", allow_module_level=True)

from deployment import Deployment

MODEL = {"architecture": "cnn", "channels": 1, "classes": 4, "image_size": 8, "width": 8,
         "groups": 4, "seed": 0}  # fmt: skip
# Averages: a round is several steps, and every message starts a process.
PLAN = AveragePlan(0.5, 3, 2, 1.0, 1.0, 2, (20, 20, 20))
RECIPE = Recipe(
    epochs=3, first_epochs=1, second_epochs=1, batch_size=30, physical_batch_size=64,
    learning_rate=0.5, schedule="constant", warmup=0.0, momentum=0.0, weight_decay=0.0,
    ema_decay=0.0, clipping_norm=1.0, clipping="bookkeeping", checkpoints=2,
)  # fmt: skip
# Seconds that a round waits for a node that was killed, and for the run: every message starts a
# process, which takes long on a busy machine.
ROUND, LIMIT = 240.0, 2400


def write_sites(folder, job):
    for site in range(3):
        rng = np.random.default_rng(site)
        images = rng.integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
        split = Split(images, rng.integers(0, 4, 20), [str(i) for i in range(20)])
        write_site(folder / f"site{site}", split, mean=(0.5,), std=(0.25,), job=job)
    write_job(folder / "job.json", job)


def test_a_deployment_survives_a_node_that_is_killed(tmp_path):
    data = tmp_path / "data"
    write_sites(data, Job(MODEL, PLAN, RECIPE, ROUND))
    deployment = Deployment(tmp_path / "work", [data / f"site{i}" for i in range(3)])
    try:
        deployment.start()
        stranger = deployment.start_node(3)
        run = deployment.run(job=data / "job.json", out=data, sites=data)
        end, killed = time.monotonic() + LIMIT, False
        while not (status := deployment.status(run)).startswith("finished"):
            assert time.monotonic() < end, deployment.flwr("log", run, "t", "--show")
            if not killed and (data / "site1/rounds.jsonl").exists():
                deployment.kill_node(1)
                deployment.start_node(1)
                killed = True
            time.sleep(2)
        assert status == "finished:completed", deployment.flwr("log", run, "t", "--show")
        assert killed and stranger.wait(60) != 0  # whose key nobody registered
    finally:
        deployment.stop()
    rounds = json.loads((data / "rounds.json").read_text())["rounds"]
    assert len(rounds) == PLAN.rounds and sum(entry["step"] for entry in rounds) >= 2
    model = read_events(data / "events.json").events[0]
    assert (model.steps, model.samples, model.randomness) == (6, 60, "secret")
    # The node that was killed accounts for every round that it answered, and for one more at most.
    answered = (data / "site1/rounds.jsonl").read_text().splitlines()
    (own,) = read_events(data / "site1/events.json").events
    assert own.samples == 20 and own.steps in (2 * len(answered), 2 * len(answered) + 2)
    for name in ("weights.safetensors", "checkpoints.safetensors", "checkpoints/001.safetensors"):
        assert (data / name).exists()
