"""Training: the executed step is the planned one, and an interruption changes nothing."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import reference
import torch
from reference import flatten, relative_error, seeded_noise
from torch import nn
from torch.nn import functional as F

from gradval.data.images import NormalisedImages
from gradval.data.store import Split, Store
from gradval.models.architectures import build_model
from gradval.models.resnets import Bottleneck, ResNet
from gradval.privacy.plan import PhasePlan
from gradval.training.checkpoints import (
    Checkpoints,
    checkpoint_steps,
    load_weights,
    save_checkpoints,
    save_weights,
)
from gradval.training.evaluation import evaluate
from gradval.training.fingerprints import fingerprint_of
from gradval.training.loop import Trainer, TrainingData, TrainingDiverged
from gradval.training.recipe import Recipe, derive_seed
from gradval.training.resume import ResumeFiles
from gradval.training.run import RunFiles, train_run
from gradval.training.steps import PRIVATE_STEPS, NonPrivateStep, SampleObservation
from gradval.training.streams import secret_key

OPTIONS = {
    "epochs": 1,
    "first_epochs": 1,
    "second_epochs": 1,
    "batch_size": 16,
    "physical_batch_size": 64,
    "learning_rate": 0.2,
    "schedule": "constant",
    "warmup": 0.0,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "ema_decay": 0.0,
    "clipping_norm": 0.7,
    "clipping": "bookkeeping",
    "checkpoints": 3,
}


def tiny_model(seed=0, dtype=torch.float32):
    model = build_model(
        "resnet9", channels=1, classes=3, image_size=8, width=4, groups=2, seed=seed
    )
    return model.to(dtype)


def tiny_data(n=40, dtype=torch.float32):
    rng = np.random.default_rng(0)
    labels = torch.arange(n) % 3
    pixels = rng.integers(0, 256, (n, 1, 8, 8), dtype=np.uint8)
    images = NormalisedImages(pixels, [0.5], [0.3], dtype=dtype)
    return TrainingData(images, labels, images, labels)


PRIVATE_OPTIONS = {
    "noise_multiplier": 1.1,
    "clipping_norm": 0.7,
    "noise": seeded_noise(),
}


def trainer(phase=None, recipe=None, key=bytes(32), **options):
    phase = phase or PhasePlan(40, 0.4, 9, 1.1)
    recipe = Recipe.from_config(OPTIONS | (recipe or {}))
    return Trainer(tiny_model(), tiny_data(), phase, recipe, key=key, **options)


def gradients_one_by_one(model, images, labels):
    """Naive per-sample gradients as a list (samples) of lists (parameters)."""
    parameters = list(model.parameters())
    return [
        torch.autograd.grad(F.cross_entropy(model(x[None]), y[None]), parameters)
        for x, y in zip(images, labels, strict=True)
    ]


@pytest.mark.parametrize("kind", PRIVATE_STEPS)
@pytest.mark.parametrize("sizes", [(7,), (3, 4), (1, 6), ()])
def test_private_step_is_the_naive_one_without_noise(kind, sizes):
    model, reference = tiny_model(dtype=torch.float64), tiny_model(dtype=torch.float64)
    data = tiny_data(dtype=torch.float64)
    step = PRIVATE_STEPS[kind](
        model,
        torch.optim.SGD(model.parameters(), lr=0.3),
        10.0,
        noise_multiplier=0.0,
        clipping_norm=0.7,
        noise=seeded_noise(),
    )
    start = 0
    for size in sizes:
        step.accumulate(data.images[start : start + size], data.labels[start : start + size])
        start += size
    step.update()
    sums = [torch.zeros_like(p) for p in reference.parameters()]
    for gradient in gradients_one_by_one(reference, data.images[0:start], data.labels[:start]):
        norm = torch.cat([g.flatten() for g in gradient]).norm()
        for total, g in zip(sums, gradient, strict=True):
            total += g * min(1.0, 0.7 / float(norm + 1e-6))
    for new, old, total in zip(model.parameters(), reference.parameters(), sums, strict=True):
        # The denominator is the expected batch size, not the number of samples drawn.
        torch.testing.assert_close(new, old - 0.3 * total / 10, rtol=1e-10, atol=1e-13)


def tiny_resnet18():
    return build_model("resnet18", channels=1, classes=3, image_size=8, width=4, groups=2, seed=0)


def tiny_grouped_bottlenecks():
    torch.manual_seed(0)
    model = ResNet(
        Bottleneck,
        [1, 2, 1, 1],
        channels=1,
        classes=3,
        image_size=80,
        width=64,
        groups=2,
        cardinality=4,
        width_per_group=4,
    )
    model.layer3 = model.layer4 = nn.Identity()
    model.conv1 = nn.Conv2d(1, 64, kernel_size=3)
    model.fc = nn.Linear(512, 3)
    return model


@pytest.mark.parametrize("kind", PRIVATE_STEPS)
@pytest.mark.parametrize("build", [tiny_resnet18, tiny_grouped_bottlenecks])
def test_every_way_clips_residual_models_as_the_naive_loop(kind, build):
    model, plain = build().double().train(), build().double().train()
    data = tiny_data(dtype=torch.float64)
    images, labels = data.images[0:4], data.labels[:4]
    norm = float(reference.gradients(plain, images, labels).norm(dim=1).median())
    step = PRIVATE_STEPS[kind](
        model,
        torch.optim.SGD(model.parameters(), lr=1.0),
        4.0,
        noise_multiplier=0.0,
        clipping_norm=norm,
        noise=seeded_noise(),
    )
    step.accumulate(images, labels)
    step.update()
    expected = reference.clipped_sum(plain, images, labels, norm)
    moved = {
        name: 4 * (old - new)
        for (name, old), new in zip(plain.named_parameters(), model.parameters(), strict=True)
    }
    assert relative_error(flatten(moved), flatten(expected)) < 1e-10


@pytest.mark.parametrize("kind", PRIVATE_STEPS)
def test_noise_has_the_accounted_scale_even_in_an_empty_step(kind):
    model = tiny_model()
    before = torch.cat([p.detach().flatten() for p in model.parameters()])
    step = PRIVATE_STEPS[kind](
        model,
        torch.optim.SGD(model.parameters(), lr=1.0),
        10.0,
        noise_multiplier=3.0,
        clipping_norm=0.7,
        noise=seeded_noise(),
    )
    step.update()
    change = torch.cat([p.detach().flatten() for p in model.parameters()]) - before
    expected = 3.0 * 0.7 / 10
    # Standard error of a standard deviation over n values is about 1 / sqrt(2 n).
    tolerance = 5 / (2 * len(change)) ** 0.5
    assert float(change.std()) == pytest.approx(expected, rel=tolerance)
    assert abs(float(change.mean())) < 5 * expected / len(change) ** 0.5


def test_non_private_step_is_the_plain_gradient():
    model, reference = tiny_model(), tiny_model()
    data = tiny_data()
    step = NonPrivateStep(model, torch.optim.SGD(model.parameters(), lr=0.3), 10.0)
    seen = step.accumulate(data.images[0:7], data.labels[:7])
    step.update()
    F.cross_entropy(reference(data.images[0:7]), data.labels[:7], reduction="sum").backward()
    for new, old in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(new, old - 0.03 * old.grad, rtol=1e-5, atol=1e-7)
    assert seen.losses.shape == (7,) and seen.input_gradients is None


def make_step(kind, model, observe):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    if kind == "nonprivate":
        return NonPrivateStep(model, optimizer, 10.0, observe=observe)
    return PRIVATE_STEPS[kind](
        model,
        optimizer,
        10.0,
        noise_multiplier=1.0,
        clipping_norm=0.7,
        noise=seeded_noise(),
        observe=observe,
    )


@pytest.mark.parametrize("kind", [*PRIVATE_STEPS, "nonprivate"])
def test_observing_steps_report_norms_and_input_gradients_and_train_alike(kind):
    data = tiny_data(dtype=torch.float64)
    images, labels = data.images[0:7], data.labels[:7]
    observing, plain = tiny_model(dtype=torch.float64), tiny_model(dtype=torch.float64)
    observer, step = make_step(kind, observing, True), make_step(kind, plain, False)
    for start, end in ((0, 3), (3, 7)):
        reference = tiny_model(dtype=torch.float64)
        x, y = images[start:end].clone().requires_grad_(), labels[start:end]
        F.cross_entropy(reference(x), y, reduction="sum").backward()
        norms = [
            torch.cat([g.flatten() for g in gradient]).norm()
            for gradient in gradients_one_by_one(reference, x.detach(), y)
        ]
        seen = observer.accumulate(images[start:end], y)
        torch.testing.assert_close(seen.input_gradients, x.grad, rtol=1e-10, atol=1e-14)
        if kind == "nonprivate":
            assert seen.norms is None
        else:
            torch.testing.assert_close(seen.norms, torch.stack(norms), rtol=1e-10, atol=0)
        step.accumulate(images[start:end], y)
    observer.update()
    step.update()
    assert_same(observing.state_dict(), plain.state_dict())


def run_weights(**options):
    return trainer(**options).run().weights


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def assert_close(a, b):
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-4, atol=1e-5)


def test_the_way_of_clipping_and_the_physical_batch_do_not_change_the_result():
    base = run_weights()
    # Opacus's ghost clipping keeps a margin to the clipping norm, which is another result.
    for clipping in PRIVATE_STEPS.keys() - {"ghost"}:
        assert_close(base, run_weights(recipe={"clipping": clipping}))
    assert_close(base, run_weights(recipe={"physical_batch_size": 5}))


def test_same_key_same_weights_other_key_other_weights():
    assert_same(run_weights(), run_weights())
    weights, base = run_weights(key=bytes(31) + b"x"), run_weights()
    assert not all(torch.equal(weights[name], base[name]) for name in base)


def test_sampling_is_poisson_at_the_planned_rate(monkeypatch):
    job = trainer(PhasePlan(40, 0.3, 400, 1.0))
    drawn = []

    def record(chunk, _):
        drawn.append(chunk)
        return SampleObservation(torch.zeros(len(chunk)))

    monkeypatch.setattr(job, "_accumulate", record)
    for _ in range(400):
        job._take_step()
    counts = torch.bincount(torch.cat(drawn), minlength=40)
    # 400 independent draws for each of 40 samples: binomial(16000, 0.3), sd 58.
    assert abs(int(counts.sum()) - 4800) < 5 * 58
    sizes = torch.tensor([len(chunk) for chunk in drawn], dtype=torch.float64)
    # The batch size is binomial(40, 0.3) with variance 8.4: not fixed, not shuffled.
    assert 6.5 < float(sizes.var()) < 10.5
    assert all(len(chunk.unique()) == len(chunk) for chunk in drawn)


@pytest.mark.parametrize("noise", [None, 1.1])
@pytest.mark.parametrize("recipe", [{}, {"ema_decay": 0.9, "schedule": "cosine"}])
def test_interruptions_at_any_step_change_nothing(tmp_path, noise, recipe):
    phase = PhasePlan(40, 0.4, 9, noise)
    base = trainer(phase, recipe).run()
    path = tmp_path / "resume.pt"
    for stop_at in (1, 3, 4, 8):
        job = trainer(phase, recipe, resume_path=path, fingerprint="x", save_every=0)
        with pytest.raises(KeyboardInterrupt):
            run_until(job, stop_at)
    result = trainer(phase, recipe, resume_path=path, fingerprint="x").run()
    assert_same(base.weights, result.weights)
    assert result.metrics == base.metrics and result.steps == base.steps == 9
    for a, b in zip(base.checkpoints, result.checkpoints, strict=True):
        assert_same(a, b)
    # What is finished is not trained again.
    again = trainer(phase, recipe, resume_path=path, fingerprint="x")
    again._take_step = None
    assert_same(again.run().weights, base.weights)


def run_until(job, step):
    take = job._take_step

    def take_or_stop():
        if job.progress.step >= step:
            raise KeyboardInterrupt
        take()

    job._take_step = take_or_stop
    job.run()


@pytest.mark.parametrize("noise", [None, 0.5])
def test_divergence_stops_with_step_samples_and_hyper_parameters(noise):
    recipe = {"learning_rate": 1e30, "momentum": 0.0}
    with pytest.raises(TrainingDiverged, match=r"step \d+ of 9, samples .*learning_rate 1e\+30"):
        trainer(PhasePlan(40, 0.4, 9, noise), recipe).run()


@pytest.mark.parametrize("kind", [NonPrivateStep, *PRIVATE_STEPS.values()])
def test_a_finite_loss_with_a_gradient_that_is_not_stops_the_run(kind):
    job = trainer(PhasePlan(40, 0.4, 9, None if kind is NonPrivateStep else 1.1))
    weight = job.model[-1].weight
    options = {} if kind is NonPrivateStep else PRIVATE_OPTIONS
    job.step_kind = kind(job.model, torch.optim.SGD([weight], lr=0.1), 10.0, **options)
    # The loss of the logits stays finite; its derivative does not.
    job.step_kind.model.register_forward_hook(lambda *io: io[-1] + 0 * (io[-1] * 0).abs().sqrt())
    with pytest.raises(TrainingDiverged, match=r"step 1 of 9, samples \d+ to \d+: the gradient"):
        job._take_step()


def test_messages_name_samples_of_the_data_set_and_not_of_what_pruning_left():
    job = trainer(PhasePlan(40, 0.4, 9, None), {"learning_rate": 1e30})
    job.data = replace(job.data, positions=torch.arange(1000, 1040))
    with pytest.raises(TrainingDiverged, match=r"samples 10\d\d to 10\d\d: "):
        job.run()


def test_a_model_that_draws_by_itself_is_refused():
    job = trainer()
    job.model.register_forward_hook(lambda *io: F.dropout(io[-1], 0.1))
    with pytest.raises(ValueError, match="draws random numbers while it trains"):
        job.run()


def test_the_state_at_the_end_holds_no_generator(tmp_path):
    path = tmp_path / "resume.pt"
    options = {"key": secret_key(), "resume_path": path, "fingerprint": "x", "save_every": 0}
    first = trainer(**options).run()
    state, _ = ResumeFiles(path, "x").load()
    assert state["streams"] is state["optimizer"] is None
    # It still is all that a run needs whose results could not be written.
    assert_same(trainer(**options).run().weights, first.weights)


def test_a_state_of_other_test_images_is_not_used():
    data = tiny_data()
    store = SimpleNamespace(name="noise", mean=(0.5,), std=(0.3,))
    recipe, phase = Recipe.from_config(OPTIONS), PhasePlan(40, 0.4, 9, 1.1)
    fingerprints = {
        fingerprint_of(store, other, recipe, phase, seed=0)
        for other in (
            data,
            replace(data, test_labels=1 - data.test_labels),
            replace(data, test_images=NormalisedImages(255 - data.images.images, [0.5], [0.3])),
        )
    }
    assert len(fingerprints) == 3


def test_a_state_that_does_not_fit_is_named_and_not_used(tmp_path, caplog):
    path = tmp_path / "resume.pt"
    trainer(resume_path=path, fingerprint="x").run()
    again = trainer(resume_path=path, fingerprint="y")
    assert again.progress.step == 0
    assert str(path) in caplog.text and "begins anew" in caplog.text


def test_a_run_that_goes_on_with_another_version_says_so(tmp_path, caplog, monkeypatch):
    path = tmp_path / "resume.pt"
    trainer(resume_path=path, fingerprint="x").run()
    assert trainer(resume_path=path, fingerprint="x").progress.step == 9
    assert "last bits" not in caplog.text
    monkeypatch.setattr(torch, "__version__", "3.0")
    assert trainer(resume_path=path, fingerprint="x").progress.step == 9
    assert f"with torch {torch.version.__version__}, the others are with 3.0" in caplog.text


def test_weights_that_are_not_finite_are_never_a_checkpoint():
    job = trainer()
    with torch.no_grad():
        job.model[-1].weight[0, 0] = torch.inf
    with pytest.raises(TrainingDiverged, match=r"step 0 of 9: the weights \(.+weight\) are not"):
        job._take_checkpoint()
    assert job.progress.checkpoints == [] == job.progress.metrics


@pytest.mark.parametrize("noise", [None, 0.5])
def test_divergence_writes_no_file_of_the_run(tmp_path, noise):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
    split = Split(images, np.arange(40) % 3, [str(i) for i in range(40)])
    with pytest.raises(TrainingDiverged, match=r"learning_rate 1e\+30"):
        train_run(
            Store("noise", ("a", "b", "c"), (0.5,), (0.3,), split, split, {}),
            model_options={"architecture": "resnet9", "width": 4, "groups": 2},
            recipe=Recipe.from_config(OPTIONS | {"learning_rate": 1e30, "momentum": 0.0}),
            phase=PhasePlan(40, 0.4, 9, noise),
            seed=0,
            stream="test",
            files=RunFiles.in_folder(tmp_path, checkpoints=True),
            progress=False,
        )
    # No weights, so nothing that could be scored.
    assert list(tmp_path.iterdir()) == []


def test_average_starts_with_a_short_memory():
    job = trainer(recipe={"ema_decay": 0.9})
    job.run()
    assert job.average.n_averaged == 9
    mean = job._average_parameter(torch.tensor(1.0), torch.tensor(0.0), 1)
    assert float(mean) == pytest.approx(2 / 11)
    assert float(job._average_parameter(torch.tensor(1.0), torch.tensor(0.0), 10_000)) == (
        pytest.approx(0.9)
    )


def test_plan_for_other_data_is_refused():
    with pytest.raises(ValueError, match="samples from 41 images, but there are 40"):
        trainer(PhasePlan(41, 0.4, 9, 1.0))


def test_learning_rate_schedules():
    cosine = Recipe.from_config(OPTIONS | {"schedule": "cosine"})
    rates = [cosine.learning_rate_at(step, 10) for step in (0, 5, 10)]
    assert rates == pytest.approx([0.2, 0.1, 0.0])
    assert Recipe.from_config(OPTIONS).learning_rate_at(9, 10) == 0.2
    warm = Recipe.from_config(OPTIONS | {"warmup": 0.3})
    rates = [warm.learning_rate_at(step, 10) for step in (0, 1, 3, 9)]
    assert rates == pytest.approx([0.05, 0.1, 0.2, 0.2])


@pytest.mark.parametrize("change", [{"warm_up": 3}, {"epochs": None}])
def test_recipe_names_missing_and_unknown_keys(change):
    options = {k: v for k, v in (OPTIONS | change).items() if v is not None}
    with pytest.raises(ValueError, match=r"training: (unknown key warm_up|epochs is missing)"):
        Recipe.from_config(options)


def test_streams_are_distinct():
    seeds = {derive_seed(0, "a"), derive_seed(0, "b"), derive_seed(1, "a"), derive_seed("0/a")}
    assert len(seeds) == 3 and all(0 <= s < 2**63 for s in seeds)


def test_checkpoints_are_even_and_end_at_the_end():
    assert checkpoint_steps(100, 5) == [20, 40, 60, 80, 100]
    assert checkpoint_steps(7, 7) == [1, 2, 3, 4, 5, 6, 7]
    assert checkpoint_steps(11, 3)[-1] == 11
    with pytest.raises(ValueError, match="5 checkpoints do not fit into 4 training steps"):
        checkpoint_steps(4, 5)


def test_checkpoints_come_back_in_order_again_and_again(tmp_path):
    path = tmp_path / "checkpoints.safetensors"
    states = [tiny_model(seed).state_dict() for seed in range(12)]
    save_checkpoints(states, path)
    checkpoints = Checkpoints(path, tiny_model(99))
    assert len(checkpoints) == 12
    for _ in range(2):
        for module, state in zip(checkpoints, states, strict=True):
            assert_same(module.state_dict(), state)


def test_damaged_weights_are_named(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(tiny_model().state_dict(), path)
    assert_same(load_weights(path), tiny_model().state_dict())
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"weights\.safetensors: not a readable safetensors file"):
        load_weights(path)
    with pytest.raises(ValueError, match=r"weights\.safetensors: not a readable safetensors file"):
        Checkpoints(path, tiny_model())


def test_evaluation_is_the_same_for_any_batch_size():
    model, data = tiny_model(), tiny_data()
    whole = evaluate(model, data.images, data.labels)
    parts = evaluate(model, data.images, data.labels, batch_size=7)
    logits = model(data.images[0:40])
    assert whole.accuracy == parts.accuracy
    assert whole.accuracy == int((logits.argmax(1) == data.labels).sum()) / 40
    assert whole.loss == pytest.approx(float(F.cross_entropy(logits, data.labels)), rel=1e-5)
    assert model.training
