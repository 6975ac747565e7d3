"""What a run leaves: the events that led to its weights, executed and not merely planned."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_training import OPTIONS

from gradval.data.store import Split, Store
from gradval.privacy.events import extended, read_events, training_event
from gradval.privacy.plan import PhasePlan
from gradval.training.checkpoints import load_weights
from gradval.training.loop import Trainer
from gradval.training.recipe import Recipe
from gradval.training.run import RunFiles, train_run

ROOT = Path(__file__).parents[3]


PRIVATE, PLAIN = PhasePlan(40, 0.4, 3, 1.1), PhasePlan(40, 0.4, 3)


def run(folder, phase=PRIVATE, **options):
    """Files of a short run."""
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
    split = Split(images, np.arange(40) % 3, [str(i) for i in range(40)])
    files = RunFiles.in_folder(folder)
    train_run(
        Store("noise", ("a", "b", "c"), (0.5,), (0.3,), split, split, {}),
        model_options={"architecture": "resnet9", "width": 4, "groups": 2},
        recipe=Recipe.from_config(OPTIONS),
        phase=phase,
        seed=0,
        stream="test",
        files=files,
        progress=False,
        **options,
    )
    return files


def test_events_hold_what_was_executed(tmp_path):
    (event,) = read_events(run(tmp_path).events).events
    assert (event.sampling_rate, event.noise_multiplier, event.steps) == (0.4, 1.1, 3)
    assert (event.samples, event.clipping_norm, event.phase) == (40, 0.7, "full")
    assert event.selection == "none" and event.unit == "sample"


def test_events_of_a_second_phase_begin_with_those_before_it(tmp_path):
    first = extended(
        None, training_event(PhasePlan(50, 0.3, 9, 2.0), name="first", clipping_norm=0.7)
    )
    files = run(tmp_path, before=first, phase_name="second", selection="raw")
    assert read_events(files.events).events[:1] == first.events
    last = read_events(files.events).events[1]
    assert (last.phase, last.selection, last.samples) == ("second", "raw", 40)


def test_a_run_without_privacy_has_events_that_say_so(tmp_path):
    files = run(tmp_path, PLAIN, secret_noise=True)
    (event,) = json.loads(files.events.read_text())["events"]
    assert event["mechanism"] == "none" and "noise_multiplier" not in event
    assert not read_events(files.events).private


def watched_run(monkeypatch, folder, phase, draw):
    """Weights before the first step, the state of the noise, samples of each step, last weights."""
    starts, noises, batches = [], [], []
    make, draw_batch = Trainer.__init__, Trainer._draw

    def init(self, model, *args, **options):
        starts.append({name: w.detach().clone() for name, w in model.state_dict().items()})
        make(self, model, *args, **options)
        noises.append(self.streams.state_dict()["noise"].clone())

    def drawn(self):
        batches.append(draw_batch(self))
        return batches[-1]

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "__init__", init)
        patch.setattr(Trainer, "_draw", drawn)
        files = run(folder, phase, draw=draw)
    return starts[0], noises[0].tolist(), [b.tolist() for b in batches], load_weights(files.weights)


@pytest.mark.parametrize("phase", [PRIVATE, PLAIN], ids=["private", "plain"])
def test_draws_begin_with_the_same_weights_and_draw_other_samples(tmp_path, monkeypatch, phase):
    folders = {"first": 0, "second": 1, "again": 1}
    starts, noises, batches, ends = zip(
        *(watched_run(monkeypatch, tmp_path / f, phase, draw) for f, draw in folders.items()),
        strict=True,
    )
    for name, weight in starts[0].items():
        assert all(torch.equal(weight, other[name]) for other in starts[1:])
    assert noises[0] != noises[1] == noises[2]
    assert batches[0] != batches[1] == batches[2]
    same = [all(torch.equal(w, ends[2][name]) for name, w in end.items()) for end in ends[:2]]
    assert same == [False, True]


def test_phases_of_different_promises_are_refused_before_anything_is_trained(tmp_path):
    seeded = training_event(PRIVATE, name="first", clipping_norm=0.7)
    with pytest.raises(ValueError, match="train the first phase again"):
        run(tmp_path, before=extended(None, seeded), secret_noise=True)
    with pytest.raises(ValueError, match=r"event of phase full: \$\.noise_multiplier: must be"):
        run(tmp_path, replace(PRIVATE, noise_multiplier=0.001))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", ["train_model", "retrain_pruned", "audit_training"])
def test_producers_of_models_know_no_ledger(script):
    """Rewording a sentence of the ledgers trains nothing again."""
    text = (ROOT / f"workflow/scripts/{script}.py").read_text()
    imports, _ = text.split("\nwith job(")
    code = f"{imports}\nimport sys\nprint('gradval.privacy.ledger' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
