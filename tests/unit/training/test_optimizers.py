"""The light optimizers do what PyTorch's and Opacus's do."""

import subprocess
import sys

import pytest
import torch

from gradval.privacy.keystream import KeyStream
from gradval.privacy.noise import GaussianNoise
from gradval.training.optimizers import SGD, NoisySums


def layers(seed=0):
    torch.manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(shape)) for shape in ((3, 4), (5,), (2, 2, 2))]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_sgd_moves_as_pytorchs(momentum, weight_decay):
    ours, theirs = layers(), layers()
    options = {"lr": 0.3, "momentum": momentum, "weight_decay": weight_decay}
    pairs = [(ours, SGD(ours, **options)), (theirs, torch.optim.SGD(theirs, **options))]
    for step in range(4):
        for parameters, optimizer in pairs:
            optimizer.param_groups[0]["lr"] = 0.3 / (1 + step)
            generator = torch.Generator().manual_seed(step)
            for i, parameter in enumerate(parameters):
                # One parameter without a gradient, at first.
                if i or step:
                    parameter.grad = torch.randn(parameter.shape, generator=generator)
            optimizer.step()
            optimizer.zero_grad()
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert all(parameter.grad is None for parameter in ours)


def test_sgd_goes_on_from_its_state():
    whole, parts = layers(), layers()
    first, second = SGD(whole, lr=0.1, momentum=0.9), SGD(parts, lr=0.1, momentum=0.9)
    for step in range(3):
        for parameters, optimizer in ((whole, first), (parts, second)):
            for parameter in parameters:
                parameter.grad = torch.full_like(parameter, 1.0 + step)
            optimizer.step()
        resumed = SGD(parts, lr=0.1, momentum=0.9)
        resumed.load_state_dict(second.state_dict())
        second = resumed
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_sums_are_added_up_and_divided_as_opacus_does():
    from opacus.optimizers import DPOptimizerFastGradientClipping

    ours, theirs = layers(), layers()
    stream = GaussianNoise(KeyStream(b"k" * 32))
    options = {"noise_multiplier": 0.0, "expected_batch_size": 12.0}
    sums = NoisySums(SGD(ours, lr=0.3), clipping_norm=1.0, noise=stream, **options)
    known = DPOptimizerFastGradientClipping(
        torch.optim.SGD(theirs, lr=0.3), max_grad_norm=1.0, **options
    )
    for batches in (1, 3, 0):
        for batch in range(batches + 1):
            empty = batch == batches
            for a, b in zip(ours, theirs, strict=True):
                gradient = torch.zeros_like(a) if empty else torch.randn_like(a)
                a.grad, b.grad = (None if empty else gradient), gradient.clone()
            known.signal_skip_step(not empty)
            known.step()
            known.zero_grad(set_to_none=True)
            if empty:
                sums.step()
            else:
                sums.add_up()
        assert all(torch.allclose(a, b, rtol=1e-6) for a, b in zip(ours, theirs, strict=True))


def test_scoring_and_training_import_neither_opacus_nor_the_compiler():
    code = """
import sys
import torch
from gradval.models.architectures import build_model
from gradval.privacy.keystream import KeyStream
from gradval.privacy.noise import GaussianNoise
from gradval.scores import score_samples
from gradval.training.optimizers import SGD
from gradval.training.steps import BookKeepingStep

model, other = (
    build_model("resnet18", channels=1, classes=3, image_size=8, width=4, groups=2, seed=seed)
    for seed in (0, 1)
)
images, labels = torch.randn(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
step = BookKeepingStep(
    model, SGD(model.parameters(), lr=0.1, momentum=0.9), 4.0, noise_multiplier=1.0,
    clipping_norm=1.0, noise=GaussianNoise(KeyStream(b"k" * 32)),
)
step.accumulate(images, labels)
step.update()
score_samples(model, [other, model], images, labels, ["loss", "grad_norm", "vog", "plis"])
print([m for m in ("opacus", "torch._dynamo", "torchvision") if m in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
