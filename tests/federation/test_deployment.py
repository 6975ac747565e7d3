"""Federated training by real processes: TLS, keys, a node that is killed and comes back."""

import json
import shutil
import time

import numpy as np
import pytest

from gradval.data.store import Split
from gradval.federation.rounds import SumPlan
from gradval.federation.site_store import write_site
from gradval.privacy.keystream import derive_key

pytest.importorskip("flwr")
if not (shutil.which("openssl") and shutil.which("ssh-keygen")):
    pytest.skip("needs openssl and ssh-keygen", allow_module_level=True)

from deployment import Deployment

MODEL = {"architecture": "cnn", "channels": 1, "classes": 4, "image_size": 8, "width": 8,
         "groups": 4, "seed": 0}  # fmt: skip
PLAN = SumPlan(0.5, 3, 1.0, 1.0, 2, 30.0)
# Seconds that a round waits for a node that was killed, and for the run: every message starts a
# process, which takes long on a busy machine.
ROUND, LIMIT = 240.0, 2400


def write_sites(folder, plan):
    for site in range(3):
        rng = np.random.default_rng(site)
        images = rng.integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
        split = Split(images, rng.integers(0, 4, 20), [str(i) for i in range(20)])
        write_site(folder / f"site{site}", split, mean=(0.5,), std=(0.25,), model=MODEL)
        (folder / f"site{site}/key").write_bytes(derive_key(b"k", site))
    job = {"model": MODEL, "plan": vars(plan), "learning_rate": 0.5, "momentum": 0.0,
           "timeout": ROUND}  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job))


def test_a_deployment_survives_a_node_that_is_killed(tmp_path):
    data = tmp_path / "data"
    write_sites(data, PLAN)
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
    assert len(rounds) == PLAN.steps and sum(entry["step"] for entry in rounds) >= 2
    assert (data / "weights.safetensors").exists()
