"""The six architectures: what the paper calls them, without batch statistics, at every size."""

import re
from functools import partial
from pathlib import Path

import pytest
import torch
from opacus.validators import ModuleValidator
from torch import nn
from torchvision.models import resnet

from gradval.models import residual_blocks
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
    methods = (Path(__file__).parents[3] / "docs/methods.md").read_text(encoding="utf-8")
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


@pytest.mark.parametrize(("block", "groups"), [("BasicBlock", 1), ("Bottleneck", 4)])
def test_blocks_are_bit_by_bit_those_of_torchvision(block, groups):
    # Two blocks in the second stage: one has a downsampling shortcut, the other has none.
    results = []
    for module in (residual_blocks, resnet):
        torch.manual_seed(0)
        model = resnet.ResNet(
            getattr(module, block),
            [1, 2, 1, 1],
            groups=groups,
            width_per_group=64 // groups,
            norm_layer=partial(nn.GroupNorm, 4),
        )
        weights = model.state_dict()
        outputs = model(torch.randn(2, 3, 32, 32))
        gradients = torch.autograd.grad(outputs.square().sum(), list(model.parameters()))
        results.append((list(weights), [*weights.values(), outputs, *gradients]))
    (names, ours), (known_names, theirs) = results
    assert names == known_names
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


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
    with pytest.raises(ValueError, match="unknown architecture 'vgg'; known are resnet9"):
        build_model("vgg", channels=1, classes=2, image_size=8)
