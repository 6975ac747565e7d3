"""The light optimizers do what PyTorch's and Opacus's do."""

import subprocess
import sys

import pytest
import torch
from test_executed_plan import make_trainer

from gradval.privacy.plan import PhasePlan
from gradval.training.loop import Trainer
from gradval.training.optimizers import SGD


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


def test_book_keeping_trains_to_the_bit_as_with_opacus_optimizer(monkeypatch):
    from gradval.training.opacus_optimizers import OfSums

    from gradval.training import steps

    class WithOpacus(steps.GhostStep):
        """Book-keeping's sums in Opacus's optimizer."""

        averages_views = True
        _prepare = steps.PrivateStep._prepare
        _backward = steps.BookKeepingStep._backward

    assert WithOpacus._noisy_type(WithOpacus) is OfSums
    monkeypatch.setitem(steps.PRIVATE_STEPS, "with-opacus", WithOpacus)
    weights, phase = [], PhasePlan(40, 0.3, 4, 1.1)
    for clipping in ("bookkeeping", "with-opacus"):
        trainer = make_trainer(Trainer, phase, clipping=clipping, clipping_norm=2.0)
        weights.append(trainer.run().weights)
    ours, theirs = weights
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_training_imports_neither_opacus_nor_the_compiler():
    code = (
        "import sys, torch; from gradval.training.optimizers import SGD, NoisySums;"
        "p = torch.nn.Parameter(torch.zeros(2)); p.grad = torch.ones(2);"
        "o = SGD([p], lr=0.1, momentum=0.9); o.step(); o.zero_grad();"
        "print([m for m in ('opacus', 'torch._dynamo', 'torchvision') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
