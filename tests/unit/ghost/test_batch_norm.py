"""Layers with running statistics: constants in evaluation mode, refused wherever they are not."""

from collections.abc import Callable

import pytest
import reference
import torch
from reference import flatten, relative_error, seeded_noise
from torch import Tensor, nn

from gradval.ghost import clipped_gradient_sum, covers, sample_gradients
from gradval.training.steps import PRIVATE_STEPS

NORMS: dict[str, Callable[[], nn.Module]] = {
    "BatchNorm2d": lambda: nn.BatchNorm2d(4),
    "without affine part": lambda: nn.BatchNorm2d(4, affine=False),
    "SyncBatchNorm": lambda: nn.SyncBatchNorm(4),
    "InstanceNorm2d": lambda: nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
    "BatchNorm1d": lambda: nn.Sequential(nn.Flatten(2), nn.BatchNorm1d(4)),
    "BatchNorm1d on vectors": lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(144)),
}


def with_norm(norm: nn.Module) -> nn.Module:
    """In float64 and evaluation mode, with statistics and weights that are not the initial ones."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), norm, nn.Softplus(), nn.Flatten(), nn.Linear(144, 3)
    ).double()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    for module in model.modules():
        if isinstance(getattr(module, "running_mean", None), Tensor):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return model.eval()


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS.keys())
def test_passes_equal_naive_by_rules(
    norm: Callable[[], nn.Module], images: Tensor, labels: Tensor
) -> None:
    model = with_norm(norm())
    assert covers(model, images)
    found = sample_gradients(model, images, labels, 2)
    squares = reference.gradients(model, images, labels).square().sum(1)
    assert relative_error(found.losses, reference.losses(model, images, labels)) < 1e-12
    assert relative_error(found.squared_norms, squares) < 1e-12
    inputs = reference.input_gradients(model, images, labels)
    assert relative_error(found.input_gradients, inputs) < 1e-12
    expected = reference.susceptibilities(model, images, labels)
    assert relative_error(found.susceptibilities, expected) < 1e-12


def test_a_frozen_norm_does_not_count(images: Tensor, labels: Tensor) -> None:
    model = with_norm(nn.BatchNorm2d(4))
    model[1].requires_grad_(False)
    squares = reference.gradients(model, images, labels).square().sum(1)
    found = sample_gradients(model, images, labels, 1)
    assert relative_error(found.squared_norms, squares) < 1e-12


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS.keys())
def test_training_mode_is_refused_by_name(
    norm: Callable[[], nn.Module], images: Tensor, labels: Tensor
) -> None:
    model = with_norm(norm()).train()
    for order in (0, 1, 2):
        with pytest.raises(ValueError, match=r"layer '1.*Norm.*\) is in training mode"):
            sample_gradients(model, images, labels, order)


@pytest.mark.parametrize("mode", [True, False])
def test_one_layer_in_training_mode_is_enough(mode: bool, images: Tensor, labels: Tensor) -> None:
    model = with_norm(nn.BatchNorm2d(4)).train(not mode)
    model[1].train(mode)
    if mode:
        with pytest.raises(ValueError, match="layer '1'"):
            sample_gradients(model, images, labels, 1)
    else:
        assert sample_gradients(model, images, labels, 1).losses.isfinite().all()


def test_buffers_decide_not_the_type(images: Tensor, labels: Tensor) -> None:
    model = with_norm(nn.BatchNorm2d(4))
    sample_gradients(model, images, labels, 1)
    model[1].running_mean = model[1].running_var = None
    for order in (0, 1, 2):
        with pytest.raises(
            ValueError, match=r"layer '1' \(BatchNorm2d\) has no running statistics"
        ):
            sample_gradients(model, images, labels, order)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS.keys())
def test_private_training_refuses_with_its_own_reason(
    norm: Callable[[], nn.Module], training: bool, images: Tensor, labels: Tensor
) -> None:
    model = with_norm(norm()).train(training)
    expected = r"layer '1.*Norm.*neither clipping nor noise protects"
    for batch in (images, images[:0]):
        with pytest.raises(ValueError, match=expected):
            clipped_gradient_sum(model, batch, labels[: len(batch)], 1.0)


class Branching(nn.Module):
    """Turns a batch round if its mean is positive, which no gradient shows."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(192, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return self.fc(torch.tanh(x)) if x.mean() > 0 else self.fc(x.flip(1))


def test_a_branch_is_decided_for_each_sample_in_private_training_too(
    images: Tensor, labels: Tensor
) -> None:
    torch.manual_seed(0)
    model = Branching().double()
    means = images.flatten(1).mean(1)
    assert (means > 0).any() and (means < 0).any()
    found = clipped_gradient_sum(model, images, labels, 0.5)
    expected = reference.clipped_sum(model, images, labels, 0.5)
    assert relative_error(flatten(found.sums), flatten(expected)) < 1e-12


def test_steps_that_run_batches_refuse_a_branch(images: Tensor, labels: Tensor) -> None:
    model = Branching().double()
    step = PRIVATE_STEPS["hooks"](
        model,
        torch.optim.SGD(model.parameters(), lr=1.0),
        4.0,
        noise_multiplier=0.0,
        clipping_norm=1.0,
        noise=seeded_noise(),
    )
    with pytest.raises(ValueError, match=r"\(Branching\) computes with values that it reads"):
        step.accumulate(images, labels)
