"""The six architectures: what the paper calls them, without batch statistics, at every size."""

import re
from functools import partial
from pathlib import Path

import pytest
import torch
from opacus.validators import ModuleValidator
from torch import nn
from torchvision.models import resnet

from gradval.models.architectures import ARCHITECTURES, build_model, parameter_count
from gradval.models.layers import group_norm
from gradval.training.checkpoints import load_weights, save_weights

# Parameters of torchvision's own models with 1,000 classes; BatchNorm and GroupNorm have as many.
TORCHVISION = {
    "resnet18": 11_689_512,
    "resnet101": 44_549_160,
    "resnext101": 88_791_336,
    "wideresnet50": 68_883_240,
    "wideresnet101": 126_886_696,
}


@pytest.mark.parametrize(("name", "parameters"), TORCHVISION.items())
def test_full_width_models_are_the_known_ones(name, parameters):
    with torch.device("meta"):
        model = build_model(name, channels=3, classes=1000, image_size=224)
    assert parameter_count(model) == parameters


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_documented_parameter_counts_are_the_models(name):
    methods = (Path(__file__).parents[3] / "docs/methods/models.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| `{name}` \| ([\d, |]+) \|$", methods, re.MULTILINE)
    found = []
    for size in (32, 224):
        for channels, classes in ((3, 10), (1, 3)):
            with torch.device("meta"):
                model = build_model(name, channels=channels, classes=classes, image_size=size)
            found.append(f"{parameter_count(model):,}")
    assert row.split(" | ") == found


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize(("channels", "size"), [(1, 8), (3, 32), (1, 72)])
def test_every_model_runs_narrow_and_suits_dp(name, channels, size):
    model = build_model(name, channels=channels, classes=4, image_size=size, width=8, groups=4)
    assert ModuleValidator.validate(model, strict=False) == []
    assert model(torch.randn(2, channels, size, size)).shape == (2, 4)
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules())
    assert not any(getattr(m, "inplace", False) for m in model.modules())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_full_model_suits_dp(name):
    for channels in (1, 3):
        for size in (32, 224):
            with torch.device("meta"):
                model = build_model(name, channels=channels, classes=10, image_size=size)
            assert ModuleValidator.validate(model, strict=False) == []


class ScaledResNet(resnet.ResNet):
    """torchvision's, with stages of any width instead of 64, 128, 256 and 512 planes."""

    def __init__(self, block, layers, width, **options):
        self._width = width
        super().__init__(block, layers, **options)

    def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
        if planes == 64:
            self.inplanes = self._width
        return super()._make_layer(block, planes * self._width // 64, blocks, stride, dilate)


TORCHVISION = {
    "resnet18": (resnet.BasicBlock, [2, 2, 2, 2], {}),
    "resnet101": (resnet.Bottleneck, [3, 4, 23, 3], {}),
    "resnext101": (resnet.Bottleneck, [3, 4, 23, 3], {"groups": 32, "width_per_group": 8}),
    "wideresnet50": (resnet.Bottleneck, [3, 4, 6, 3], {"width_per_group": 128}),
    "wideresnet101": (resnet.Bottleneck, [3, 4, 23, 3], {"width_per_group": 128}),
}


def torchvision_model(name, size, width):
    """torchvision's own code with our norm, stem and width."""
    block, layers, options = TORCHVISION[name]
    norm = partial(group_norm, groups=4)
    model = ScaledResNet(block, layers, width, norm_layer=norm, **options)
    kernel = {"kernel_size": 3, "padding": 1}
    if size > 64:
        kernel = {"kernel_size": 7, "stride": 2, "padding": 3}
    else:
        model.maxpool = nn.Identity()
    model.conv1 = nn.Conv2d(1, width, bias=False, **kernel)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    model.bn1 = norm(width)
    model.fc = nn.Linear(8 * width * block.expansion, 3)
    return model


@pytest.mark.parametrize(("name", "size"), [*((name, 8) for name in TORCHVISION), ("resnet18", 80)])
def test_residual_networks_are_bit_by_bit_those_of_torchvision(name, size):
    def ours(name, size, width):
        return build_model(name, channels=1, classes=3, image_size=size, width=width, groups=4)

    results = []
    for build in (ours, torchvision_model):
        torch.manual_seed(0)
        model = build(name, size, 8)
        weights = model.state_dict()
        outputs = model(torch.randn(2, 1, size, size))
        gradients = torch.autograd.grad(outputs.square().sum(), list(model.parameters()))
        results.append((list(weights), [*weights.values(), outputs, *gradients]))
    (names, found), (known_names, known) = results
    assert names == known_names
    assert all(torch.equal(a, b) for a, b in zip(found, known, strict=True))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_saved_weights_come_back(name, tmp_path):
    saved, loaded = (
        build_model(name, channels=1, classes=3, image_size=8, width=8, groups=2, seed=seed)
        for seed in (0, 1)
    )
    save_weights(saved.state_dict(), tmp_path / "weights.safetensors")
    loaded.load_state_dict(load_weights(tmp_path / "weights.safetensors"))
    weights = zip(saved.parameters(), loaded.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_samples_do_not_influence_each_other(name):
    model = build_model(name, channels=1, classes=4, image_size=8, width=8, groups=4).double()
    images = torch.randn(3, 1, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(model(images)[1:2], model(images[1:2]), rtol=1e-9, atol=1e-12)


def test_small_images_keep_their_size_in_the_stem():
    small = build_model("resnet18", channels=3, classes=2, image_size=32)
    large = build_model("resnet18", channels=3, classes=2, image_size=224)
    assert small.conv1.stride == (1, 1) and small.conv1.kernel_size == (3, 3)
    assert isinstance(small.maxpool, nn.Identity)
    assert large.conv1.stride == (2, 2) and isinstance(large.maxpool, nn.MaxPool2d)


def test_a_seed_fixes_the_weights_and_nothing_else():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, second, other = (
        build_model("resnet9", channels=1, classes=3, image_size=8, width=4, seed=seed)
        for seed in (7, 7, 8)
    )
    assert torch.equal(before, torch.get_rng_state())
    pairs = list(zip(first.parameters(), second.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not all(
        torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True)
    )


@pytest.mark.parametrize(
    ("channels", "groups", "expected"), [(64, 32, 16), (8, 32, 2), (12, 16, 3)]
)
def test_groups_hold_at_least_four_channels(channels, groups, expected):
    assert group_norm(channels, groups).num_groups == expected


def test_a_width_that_leaves_a_group_without_channels_is_refused():
    with pytest.raises(ValueError, match="width is 4, but this architecture needs at least 8"):
        build_model("resnext101", channels=1, classes=2, image_size=8, width=4)


def test_unknown_architecture_is_named():
    with pytest.raises(ValueError, match="unknown architecture 'vgg'; known are cnn, resnet9"):
        build_model("vgg", channels=1, classes=2, image_size=8)
