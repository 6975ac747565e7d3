"""Each process its own device; the machine need not have any."""

import logging
import subprocess
import sys

import pytest
import torch

from gradval.runtime import devices

# Claims one of three devices, says which, and holds it until its input ends.
HOLDER = """
import sys
from pathlib import Path
from gradval.runtime.devices import claim
print(claim(["0", "1", "2"], Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path):
    processes = []

    def holder():
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process, int(process.stdout.readline())

    yield holder
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def gpus(monkeypatch, tmp_path):
    """Pretend that CUDA shows a number of devices; returns the one that was chosen."""

    def choose(count, visible=None):
        chosen = []
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
        monkeypatch.setattr(devices, "lock_folder", lambda: tmp_path)
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        devices.job_device.cache_clear()
        device = devices.job_device()
        assert devices.job_device() is device and chosen == ([] if count == 0 else [device.index])
        return device

    yield choose
    devices.job_device.cache_clear()
    while devices._held:
        devices._held.pop().release()


def test_processes_take_different_devices_and_a_killed_one_gives_its_back(start):
    (first, a), (_, b), (_, c) = start(), start(), start()
    assert {a, b, c} == {0, 1, 2}
    first.kill()
    first.wait()
    assert start()[1] == a


def test_if_all_are_taken_one_is_shared_and_said_so(start, tmp_path, caplog):
    for _ in range(3):
        start()
    with caplog.at_level(logging.WARNING):
        assert devices.claim(["0", "1", "2"], tmp_path) in (0, 1, 2)
    assert "all 3 GPUs are taken" in caplog.text


def test_device_of_a_job(gpus, start):
    assert gpus(0) == torch.device("cpu")
    assert gpus(2) == torch.device("cuda", 0)


def test_float32_of_a_job_is_float32(gpus):
    backends = torch.backends.cudnn, torch.backends.cuda.matmul
    for backend in backends:
        backend.allow_tf32 = True
    gpus(1)
    assert not any(backend.allow_tf32 for backend in backends)


def test_the_only_visible_device_needs_no_lock(gpus, tmp_path):
    assert gpus(1, visible="3") == torch.device("cuda", 0)
    assert not list(tmp_path.glob("*.lock"))


def test_locks_bear_the_names_of_the_devices_not_their_positions(gpus, start):
    assert start()[1] == 0  # another process holds GPU 0
    assert gpus(2, visible="0,2") == torch.device("cuda", 1)
