"""No rounding lifts a clipped contribution above the clipping norm, whatever the input.

Inputs have a mean far above their spread, which normalisations take out again: gradients are then
small differences of large products, in which some ways of computing norms lose every digit.
"""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import seeded_noise
from torch import Tensor, nn

from gradval.ghost import clipped_gradient_sum
from gradval.models.weight_standardisation import StandardisedConv2d
from gradval.training.steps import PRIVATE_STEPS

CLASSES, CHANNELS, SIZE, CLIP = 5, 16, 6, 0.05
ALLOWED = 1e-5


class Tokens(nn.Module):
    """Pixels as a sequence `(N, T, C)`."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)


def conv(
    norm: Callable[[int], nn.Module], outputs: int = 32, kind: type = nn.Conv2d, **options: object
) -> Callable[[], nn.Module]:
    options = {"kernel_size": 3} | options
    return lambda: nn.Sequential(kind(CHANNELS, outputs, **options), norm(outputs))


def linear(norm: Callable[[int], nn.Module], outputs: int = 64) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(Tokens(), nn.Linear(CHANNELS, outputs), norm(outputs))


def instance(channels: int) -> nn.Module:
    return nn.InstanceNorm2d(channels, affine=True)


def groups(channels: int) -> nn.Module:
    return nn.GroupNorm(4, channels)


def channel_groups(channels: int) -> nn.Module:
    return nn.GroupNorm(channels, channels)


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "conv, InstanceNorm": conv(instance),
    "conv, InstanceNorm, padded": conv(instance, padding=1),
    "conv, GroupNorm": conv(groups),
    "conv, GroupNorm of a channel each": conv(channel_groups),
    "conv, wide": conv(instance, outputs=256),
    "conv, 1x1": conv(instance, kernel_size=1),
    "conv, strided": conv(instance, stride=2, padding=1),
    "conv, grouped": conv(instance, groups=4),
    "conv, dilated": conv(instance, dilation=2),
    "conv, without norm": conv(nn.Identity),
    "standardised": conv(instance, kind=StandardisedConv2d),
    "standardised, wide": conv(instance, outputs=128, kind=StandardisedConv2d),
    "standardised, GroupNorm": conv(groups, kind=StandardisedConv2d),
    "linear, LayerNorm": linear(nn.LayerNorm),
    "linear, norm over the positions": linear(lambda _: nn.GroupNorm(SIZE**2, SIZE**2)),
    "linear, norm of the positions": lambda: nn.Sequential(
        *linear(lambda _: Tokens(), 48)(), nn.InstanceNorm1d(SIZE**2)
    ),
    "linear, each channel over the positions": lambda: nn.Sequential(
        Tokens(), nn.Linear(CHANNELS, 64), Transpose(), nn.InstanceNorm1d(64, affine=True)
    ),
}


class Transpose(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


def problem(
    make: Callable[[], nn.Module], ratio: float, seed: int
) -> tuple[nn.Module, Tensor, Tensor]:
    """A model whose head is frozen, so that nothing hides its layer, and three hostile images."""
    torch.manual_seed(seed)
    body = make()
    images = torch.randn(3, CHANNELS, SIZE, SIZE)
    images += ratio * torch.randn(1, CHANNELS, 1, 1).sign()
    features = body(images).flatten(1).shape[1]
    head = nn.Linear(features, CLASSES).requires_grad_(False)
    head.weight.data *= 100
    return nn.Sequential(body, nn.Tanh(), nn.Flatten(), head), images, torch.arange(3)


def longest(model: nn.Module, images: Tensor, labels: Tensor, kind: str = "") -> float:
    """Length of the longest clipped contribution, in clipping norms."""
    lengths = []
    for image, label in zip(images.split(1), labels.split(1), strict=True):
        if kind:
            step = PRIVATE_STEPS[kind](
                model,
                torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.0),
                1.0,
                noise_multiplier=0.0,
                clipping_norm=CLIP,
                noise=seeded_noise(),
            )
            step.accumulate(image, label)
            parts = step.private.sums
            hooked = step.model
            if hooked is not model:
                hooked.remove_hooks()
        else:
            parts = list(clipped_gradient_sum(model, image, label, CLIP).sums.values())
        lengths.append(math.sqrt(sum(float(p.double().square().sum()) for p in parts)))
    return max(lengths) / CLIP


@pytest.mark.parametrize("ratio", [0.0, 2.0, 30.0, 1e3, 1e4])
@pytest.mark.parametrize("layer", LAYERS)
def test_no_contribution_exceeds_the_clipping_norm(layer: str, ratio: float) -> None:
    for seed in range(3):
        assert longest(*problem(LAYERS[layer], ratio, seed)) < 1 + ALLOWED


@settings(max_examples=60)
@given(
    kernel=st.integers(1, 4),
    stride=st.integers(1, 2),
    padding=st.integers(0, 2),
    groups=st.sampled_from([1, 2, 16]),
    outputs=st.sampled_from([16, 48, 160]),
    standardised=st.booleans(),
    bias=st.booleans(),
    exponent=st.floats(-2, 4),
    seed=st.integers(0, 999),
)
def test_nor_does_any_convolution(
    kernel: int,
    stride: int,
    padding: int,
    groups: int,
    outputs: int,
    standardised: bool,
    bias: bool,
    exponent: float,
    seed: int,
) -> None:
    make = conv(
        instance,
        outputs,
        StandardisedConv2d if standardised else nn.Conv2d,
        kernel_size=kernel,
        stride=stride,
        padding=padding,
        groups=groups,
        bias=bias,
    )
    assert longest(*problem(make, 10**exponent, seed)) < 1 + ALLOWED


@pytest.mark.parametrize("kind", ["hooks", "ghost", "functorch"])
@pytest.mark.parametrize("layer", ["conv, InstanceNorm", "conv, wide", "linear, LayerNorm"])
@pytest.mark.parametrize("ratio", [0.0, 1e3, 1e4])
def test_nor_do_the_ways_of_opacus(kind: str, layer: str, ratio: float) -> None:
    assert longest(*problem(LAYERS[layer], ratio, 0), kind) < 1 + ALLOWED


def test_these_inputs_would_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the remedy contributions are far too long."""
    monkeypatch.setattr("gradval.ghost.clipping.TOLERANCE", math.inf)
    worst = max(longest(*problem(LAYERS["conv, InstanceNorm"], 1e4, seed)) for seed in range(3))
    assert worst > 2


def test_the_remedy_leaves_ordinary_samples_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that does not cancel is computed in another way, to the bit."""
    model, images, labels = problem(LAYERS["conv, wide"], 0.5, 0)
    found = clipped_gradient_sum(model, images, labels, CLIP)
    monkeypatch.setattr("gradval.ghost.clipping.TOLERANCE", math.inf)
    expected = clipped_gradient_sum(model, images, labels, CLIP)
    assert torch.equal(found.norms, expected.norms)
    assert all(torch.equal(found.sums[name], total) for name, total in expected.sums.items())


def test_clipped_sums_of_cancelling_samples_among_others_are_right() -> None:
    model, images, labels = problem(LAYERS["conv, InstanceNorm"], 1e3, 1)
    images[1] -= images[1].mean((1, 2), keepdim=True)
    found = clipped_gradient_sum(model, images, labels, CLIP)
    precise = clipped_gradient_sum(model.double(), images.double(), labels, CLIP)
    for name, total in precise.sums.items():
        assert (found.sums[name] - total).norm() < 2e-2 * CLIP, name
    assert torch.allclose(found.norms.double(), precise.norms, rtol=2e-2, atol=1e-5)
