"""Every layer rule inside a small model, against loops over samples in float64."""

from collections.abc import Callable

import pytest
import reference
import torch
from reference import flatten, relative_error
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck

from gradval.ghost import (
    LayerRule,
    clipped_gradient_sum,
    covers,
    register_layer_rule,
    sample_gradients,
)
from gradval.ghost.group_norm import normalise_groups

SAMPLES, CLASSES, SIZE = 4, 3, 6


class Tokens(nn.Module):
    """Pixels as a sequence `(N, T, C)`."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)


class Scale(nn.Module):
    """One learned number a channel, to register a rule for."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.5, 1.5, channels))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight[:, None, None]


class ScaleRule(LayerRule):
    parameters = ("weight",)

    def per_sample_gradients(
        self, layer: Scale, activation: Tensor, output_grad: Tensor, views: int = 1
    ) -> dict[str, Tensor]:
        rows = (activation * output_grad).sum((2, 3))
        return {"weight": rows.unflatten(0, (-1, views)).sum(1)}


register_layer_rule(Scale, ScaleRule())


def conv(channels: int = 4, outputs: int = 6, **options: object) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(
        nn.Conv2d(3, channels, 1), nn.Tanh(), nn.Conv2d(channels, outputs, **options), nn.Tanh()
    )


def altered(attributes: dict[str, object], **options: object) -> Callable[[], nn.Module]:
    """A convolution whose attributes were changed after construction."""

    def make() -> nn.Module:
        body = conv(**options)()
        for name, value in attributes.items():
            setattr(body[2], name, value)
        return body

    return make


class Transposed(nn.Module):
    """Makes a map that is not contiguous."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(2, 3)


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "3x3": conv(kernel_size=3, padding=1),
    "3x3 without bias": conv(kernel_size=3, padding=1, bias=False),
    "strided": conv(kernel_size=3, padding=1, stride=2),
    "dilated": conv(kernel_size=3, padding=2, dilation=2),
    "grouped": conv(kernel_size=3, padding=1, groups=2),
    "depthwise": conv(channels=3, outputs=3, kernel_size=3, padding=1, groups=3),
    "grouped and strided": conv(kernel_size=3, stride=2, groups=2),
    "1x1 strided": conv(kernel_size=1, stride=2),
    "padding same": conv(kernel_size=3, padding="same"),
    "padding same, even kernel": conv(kernel_size=(2, 4), padding="same"),
    "padding valid": conv(kernel_size=3, padding="valid"),
    "padding circular": conv(kernel_size=3, padding=(1, 2), padding_mode="circular"),
    "padding reflect": conv(kernel_size=3, padding=1, padding_mode="reflect"),
    "padding taken away": altered({"padding": (0, 0)}, kernel_size=3, padding=1),
    "dilated later": altered({"padding": (2, 2), "dilation": (2, 2)}, kernel_size=3, padding=1),
    "padded by the word later": altered({"padding": "same"}, kernel_size=(3, 2)),
    "numbers for pairs": altered({"padding": 1, "stride": 2, "dilation": 1}, kernel_size=3),
    "smaller kernel later": altered(
        {"weight": nn.Parameter(torch.linspace(-1, 1, 6 * 4 * 6).view(6, 4, 2, 3))}, kernel_size=5
    ),
    "many channels": conv(channels=40, outputs=48, kernel_size=3, padding=1),
    "GroupNorm without shift": lambda: nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.GroupNorm(2, 6, bias=False), nn.Softplus()
    ),
    "GroupNorm": lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.GroupNorm(2, 6), nn.Softplus()),
    "GroupNorm of another layout": lambda: nn.Sequential(
        nn.Conv2d(3, 6, 3), Transposed(), nn.GroupNorm(2, 6), nn.Softplus()
    ),
    "LayerNorm": lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.LayerNorm([6, 4, 4]), nn.Tanh()),
    "LayerNorm without bias": lambda: nn.Sequential(
        Tokens(), nn.LayerNorm(3, bias=False), nn.Tanh()
    ),
    "InstanceNorm": lambda: nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.InstanceNorm2d(6, affine=True), nn.Tanh()
    ),
    "norms without parameters": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.GroupNorm(2, 4, affine=False),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 4, 3),
        nn.InstanceNorm2d(4),
        nn.Tanh(),
    ),
    "Linear on few positions": lambda: nn.Sequential(
        nn.AdaptiveAvgPool2d(2), Tokens(), nn.Linear(3, 5), nn.ReLU(inplace=True)
    ),
    "Linear on many positions": lambda: nn.Sequential(Tokens(), nn.Linear(3, 5), nn.Tanh()),
    "Linear without bias": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 5, bias=False), nn.Tanh()
    ),
    "registered": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), Scale(4), nn.Tanh()),
}


@pytest.fixture(params=LAYERS)
def model(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    body = LAYERS[request.param]().double()
    features = body(torch.zeros(1, 3, SIZE, SIZE, dtype=torch.float64)).numel()
    model = nn.Sequential(body, nn.Flatten(), nn.Linear(features, CLASSES)).double()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


@pytest.fixture
def images() -> Tensor:
    return torch.randn(
        SAMPLES, 3, SIZE, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )


@pytest.fixture
def labels() -> Tensor:
    return torch.tensor([0, 2, 1, 2])


def test_pass_equals_naive(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    assert covers(model, images)
    result = sample_gradients(model, images, labels, order=2)
    assert relative_error(result.losses, reference.losses(model, images, labels)) < 1e-12
    squares = reference.gradients(model, images, labels).square().sum(1)
    assert relative_error(result.squared_norms, squares) < 1e-12
    expected = reference.input_gradients(model, images, labels)
    assert relative_error(result.input_gradients, expected) < 1e-12
    expected = reference.susceptibilities(model, images, labels)
    assert relative_error(result.susceptibilities, expected) < 1e-12


@pytest.mark.parametrize("views", [1, 2, 4])
def test_clipped_sum_equals_naive(
    model: nn.Module, images: Tensor, labels: Tensor, views: int
) -> None:
    norms = reference.gradients(model, images, labels, views).norm(dim=1)
    max_norm = float(norms.median())
    result = clipped_gradient_sum(model, images, labels, max_norm, multiplicity=views)
    assert relative_error(result.norms, norms) < 1e-12
    expected = reference.clipped_sum(model, images, labels, max_norm, views)
    assert list(result.sums) == list(expected)
    assert [s.shape for s in result.sums.values()] == [e.shape for e in expected.values()]
    assert relative_error(flatten(result.sums), flatten(expected)) < 1e-12


def test_only_trainable_parameters_of_a_layer_count(
    model: nn.Module, images: Tensor, labels: Tensor
) -> None:
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.endswith("weight"))
    assert covers(model, images)
    result = sample_gradients(model, images, labels, order=2)
    squares = reference.gradients(model, images, labels).square().sum(1)
    assert relative_error(result.squared_norms, squares) < 1e-12
    expected = reference.susceptibilities(model, images, labels)
    assert relative_error(result.susceptibilities, expected) < 1e-12
    clipped = clipped_gradient_sum(model, images, labels, 0.1)
    assert set(clipped.sums) == {n for n, _ in model.named_parameters() if n.endswith("bias")}


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 3), (1, 4, 3, 2)])
def test_group_normalisation_has_right_derivatives_of_first_and_second_order(
    shape: tuple[int, ...],
) -> None:
    inputs = torch.randn(*shape, dtype=torch.float64, requires_grad=True)

    def run(x: Tensor) -> Tensor:
        return normalise_groups(x, 2, 1e-5)

    expected = nn.functional.group_norm(inputs, 2, eps=1e-5)
    assert relative_error(run(inputs), expected) < 1e-14
    assert gradcheck(run, (inputs,))
    assert gradgradcheck(run, (inputs,), atol=1e-4)
