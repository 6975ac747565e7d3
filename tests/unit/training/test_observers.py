"""Observers of training: they see what happened, change nothing and outlive interruptions."""

import pytest
import torch
from test_training import assert_same, run_until, trainer

from gradval.privacy.plan import PhasePlan
from gradval.training import free_scores
from gradval.training.free_scores import FreeScores
from gradval.training.observers import Observer
from gradval.training.steps import SampleObservation


class Remembers(Observer):
    """Counts draws and keeps what it is told of checkpoints; asks for no gradients."""

    def __init__(self, shape, *, private, device="cpu"):
        self.draws, self.checkpoints = torch.zeros(shape[0]), []

    def observe(self, indices, seen):
        assert seen.input_gradients is None and seen.norms is None
        self.draws[indices] += 1

    def at_checkpoint(self, step, model, learning_rate):
        weight = next(model.parameters()).detach().clone()
        self.checkpoints.append((step, weight, learning_rate))

    def scores(self):
        return {"draws": self.draws}

    def state_dict(self):
        return {"draws": self.draws}

    def load_state_dict(self, state):
        self.draws.copy_(state["draws"])


def test_every_observer_sees_batches_and_checkpoints_and_need_not_cost_gradients(monkeypatch):
    monkeypatch.setattr(free_scores, "FreeScores", Remembers)
    recipe = {"schedule": "cosine", "ema_decay": 0.5, "augmentation": "flip"}
    result = trainer(recipe=recipe, observers=["free_scores"]).run()
    (observer,) = result.observers.values()
    assert observer.draws.sum() > 0 and observer.draws.max() <= 9
    steps, weights, rates = zip(*observer.checkpoints, strict=True)
    assert steps == (3, 6, 9) and rates[0] > rates[1] > rates[2] > 0
    first = next(iter(result.weights))
    for weight, checkpoint in zip(weights, result.checkpoints, strict=True):
        assert torch.equal(weight, checkpoint[first])
    assert_same(result.weights, trainer(recipe=recipe).run().weights)


def test_an_unknown_observer_is_named():
    with pytest.raises(ValueError, match="unknown observer 'tracing'; known are free_scores"):
        trainer(observers=["tracing"])


@pytest.mark.parametrize("noise", [None, 1.1])
def test_free_scores_are_those_of_the_visits_and_leave_training_alone(noise, monkeypatch):
    phase = PhasePlan(40, 0.4, 9, noise)
    job = trainer(phase, {"physical_batch_size": 5}, observers=["free_scores"])
    visits = [[] for _ in range(40)]
    accumulate = job._accumulate

    def record(chunk, changes):
        seen = accumulate(chunk, changes)
        norms = [None] * len(chunk) if seen.norms is None else seen.norms
        for i, *values in zip(
            chunk.tolist(), seen.losses, norms, seen.input_gradients, strict=True
        ):
            visits[i].append(values)
        return seen

    monkeypatch.setattr(job, "_accumulate", record)
    result = job.run()
    assert_same(result.weights, trainer(phase, {"physical_batch_size": 5}).run().weights)
    scores = result.observers["free_scores"].scores()
    assert scores["visits"].tolist() == [len(seen) for seen in visits]
    assert ("grad_norm" in scores) == (noise is not None)
    for i, seen in enumerate(visits):
        if not seen:
            continue
        losses, norms, gradients = zip(*seen, strict=True)
        assert float(scores["loss"][i]) == float(losses[-1])
        if noise is not None:
            assert float(scores["grad_norm"][i]) == float(norms[-1])
        if len(seen) < 2:
            assert scores["vog"][i].isnan()
            continue
        variance = torch.stack(gradients).double().var(0, correction=0).mean()
        assert float(scores["vog"][i]) == pytest.approx(float(variance), rel=1e-5)


def test_free_scores_of_unvisited_samples_are_missing():
    scores = FreeScores((3, 1, 2, 2), private=False)
    for indices in ([0, 1], [1]):
        n = len(indices)
        scores.observe(
            torch.tensor(indices), SampleObservation(torch.ones(n), None, torch.ones(n, 1, 2, 2))
        )
    found = scores.scores()
    assert found["visits"].tolist() == [1, 2, 0]
    assert found["loss"].isnan().tolist() == [False, False, True]
    assert found["vog"].isnan().tolist() == [True, False, True]
    with pytest.raises(ValueError, match="the step must observe"):
        scores.observe(torch.tensor([0]), SampleObservation(torch.ones(1)))


@pytest.mark.parametrize("noise", [None, 1.1])
def test_interruptions_do_not_change_free_scores(tmp_path, noise):
    phase, path = PhasePlan(40, 0.4, 9, noise), tmp_path / "resume.pt"
    options = {"observers": ["free_scores"], "resume_path": path, "fingerprint": "x"}
    base = trainer(phase, observers=["free_scores"]).run().observers["free_scores"].scores()
    for stop_at in (1, 4):
        job = trainer(
            phase, observers=["free_scores"], resume_path=path, fingerprint="x", save_every=0
        )
        with pytest.raises(KeyboardInterrupt):
            run_until(job, stop_at)
    result = trainer(phase, **options).run()
    found = result.observers["free_scores"].scores()
    assert found.keys() == base.keys()
    for name, values in base.items():
        torch.testing.assert_close(found[name], values, rtol=0, atol=0, equal_nan=True)
