"""Killed at any moment, or out of disk, and run again: the same bytes as without interruption."""

import random
import re
import shutil
import signal

import numpy as np
import pytest
import torch
from interruption import SECOND_PHASE, VIEWS, run

from gradval.data.store import Split, Store, write_store
from gradval.training.resume import ResumeFiles, remove_state

NEVER = (-1, signal.SIGKILL)
NOISES = pytest.mark.parametrize("noise", [None, 1.1], ids=["nonprivate", "private"])


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Forty images of noise in three classes."""
    folder = tmp_path_factory.mktemp("store")
    rng = np.random.default_rng(0)
    split = Split(
        rng.integers(0, 256, (40, 1, 8, 8), dtype=np.uint8),
        np.arange(40) % 3,
        [str(i) for i in range(40)],
    )
    write_store(Store("noise", ("a", "b", "c"), (0.5,), (0.3,), split, split, {}), folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(store, tmp_path_factory):
    """noise -> the files of a run from start to end, and how many calls it made."""
    found = {}
    for noise in (None, 1.1):
        folder = tmp_path_factory.mktemp("undisturbed") / "run"
        assert run(store, folder, noise, NEVER) == 0
        found[noise] = contents(folder), int(folder.with_suffix(".events").read_text())
    return found


def contents(folder):
    """What a run leaves, byte by byte, times aside; hidden files are those cut while written."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.name != "timing.json" and not path.name.startswith(".")
    }


def log_of(folder):
    return folder.with_suffix(".log").read_text()


def without_notices(log):
    return [line for line in log.splitlines() if not line.startswith(("started", "resumed"))]


STOPPED = (
    r"^interrupted after step \d of 9, state saved; run the same command to go on \(job run\)$"
)
KILLS = 6  # of each kind of run by each signal: 36 in all


@NOISES
@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name
)
def test_a_run_killed_again_and_again_ends_with_the_same_bytes(
    store, undisturbed, tmp_path, noise, number
):
    expected, calls = undisturbed[noise]
    moments = random.Random(f"{noise} {number.name}")
    folder = tmp_path / "run"
    kills, resumed, stopped = 0, [], []
    while kills < KILLS:
        code = run(store, folder, noise, (moments.randint(calls // 8, calls // 2), number))
        resumed += re.findall(r"resumed after step (\d+)", log_of(folder))
        if code == 0:
            # It ended before its moment came: begin anew.
            assert contents(folder) == expected
            shutil.rmtree(folder)
            continue
        # Others than SIGKILL let a step end and its state be saved, or end the process as usual.
        assert code == -number or (number != signal.SIGKILL and code == 1)
        stopped += re.findall(STOPPED, log_of(folder), re.M)
        kills += 1
    assert run(store, folder, noise) == 0
    # The runs did go on from one another, from several different steps.
    assert len(set(resumed)) >= 2
    assert bool(stopped) == (number != signal.SIGKILL)
    assert contents(folder) == expected


@pytest.mark.parametrize("kind", ["views", "second phase"])
def test_so_does_a_killed_second_phase_and_one_of_several_views(store, undisturbed, tmp_path, kind):
    special = VIEWS
    if kind == "second phase":
        weights = tmp_path / "first.safetensors"
        weights.write_bytes(undisturbed[1.1][0]["weights.safetensors"])
        special = SECOND_PHASE | {"initial_weights": weights}
    straight, folder = tmp_path / "straight", tmp_path / "run"
    assert run(store, straight, 1.1, NEVER, special=special) == 0
    calls = int(straight.with_suffix(".events").read_text())
    # What is done is not repeated, so a third time it might end before it is killed.
    for _ in range(2):
        code = run(store, folder, 1.1, (calls // 3, signal.SIGKILL), special=special)
        assert code == -signal.SIGKILL
    assert run(store, folder, 1.1, special=special) == 0
    assert "resumed after step" in log_of(folder)
    assert contents(folder) == contents(straight)
    assert contents(folder) != undisturbed[1.1][0]


@pytest.mark.parametrize("name", ["weights.safetensors", "checkpoints.safetensors"])
def test_a_full_disk_is_one_line_and_the_next_run_succeeds(store, undisturbed, tmp_path, name):
    expected, _ = undisturbed[1.1]
    folder = tmp_path / "run"
    # The state is larger than the weights, so it fails first; the checkpoints are the largest file.
    assert run(store, folder, 1.1, largest_file=len(expected[name]) - 1) == 1
    log = log_of(folder)
    assert log.startswith("error: ") or "\nerror: " in log
    failed = "resume.pt" if name == "weights.safetensors" else name
    assert failed in log
    assert len(without_notices(log)) == 1 and str(folder) in log
    left = contents(folder)
    assert all(left[n] == expected[n] for n in left if n in expected)
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]
    assert run(store, folder, 1.1) == 0
    assert contents(folder) == expected


@NOISES
def test_a_disk_that_is_full_again_and_again_costs_nothing(store, undisturbed, tmp_path, noise):
    expected, _ = undisturbed[noise]
    moments = random.Random(f"full {noise}")
    folder, failed = tmp_path / "run", set()
    while run(store, folder, noise, full_after=moments.randint(1, 8)) != 0:
        (line,) = without_notices(log_of(folder))
        start, name = line.split(f"'{folder}/")
        assert start.startswith("error: ") and "No space left on device" in start
        failed.add(name.split("'")[0])
        left = contents(folder)
        assert all(left[n] == expected[n] for n in left if n in expected)
        assert not [p for p in folder.iterdir() if p.name.startswith(".")]
        if "resume.pt" in left:  # what could not be saved did not harm what was there
            assert ResumeFiles(folder / "resume.pt", "of another run").load() is None
    # The state could not be written, nor could some of what the run leaves.
    assert "resume.pt" in failed and failed & expected.keys()
    assert contents(folder) == expected


def test_any_flipped_or_missing_byte_is_detected_and_the_file_named(tmp_path):
    path = tmp_path / "resume.pt"
    weights = {"w": torch.arange(300.0)}
    ResumeFiles(path, "mine").save({"a": torch.ones(500), "step": 3}, [weights])
    (side,) = tmp_path.glob("resume.*.safetensors")
    state, checkpoints = ResumeFiles(path, "mine").load()
    assert state["step"] == 3 and torch.equal(checkpoints[0]["w"], weights["w"])
    generator = random.Random(0)
    for file in (path, side):
        content = file.read_bytes()
        damaged = [content[:n] for n in (0, 10, len(content) // 2, len(content) - 1)]
        for position in [len(content) - 1, *generator.sample(range(len(content)), 60)]:
            flipped = bytes([content[position] ^ 1 << generator.randrange(8)])
            damaged.append(content[:position] + flipped + content[position + 1 :])
        for wrong in damaged:
            file.write_bytes(wrong)
            with pytest.raises(ValueError, match=rf"{re.escape(str(file))}: damaged .* delete"):
                ResumeFiles(path, "mine").load()
        file.write_bytes(content)
    side.unlink()
    with pytest.raises(ValueError, match="missing checkpoint"):
        ResumeFiles(path, "mine").load()


def test_a_checkpoint_is_written_once_and_leftovers_are_removed(tmp_path):
    path = tmp_path / "resume.pt"
    files = ResumeFiles(path, "mine")
    first, second = {"w": torch.zeros(3)}, {"w": torch.ones(3)}
    files.save({}, [first])
    (side,) = tmp_path.glob("resume.*.safetensors")
    written = side.stat().st_mtime_ns
    resumed = ResumeFiles(path, "mine")
    assert resumed.load() is not None
    resumed.save({}, [first, second])
    assert side.stat().st_mtime_ns == written and len(list(tmp_path.iterdir())) == 3
    (tmp_path / ".resume.4711.pt").write_bytes(b"cut while writ")
    (tmp_path / "other.safetensors").touch()
    assert ResumeFiles(path, "mine").load() is not None
    assert ResumeFiles(path, "another").load() is None
    remove_state(path)
    assert [p.name for p in tmp_path.iterdir()] == ["other.safetensors"]
