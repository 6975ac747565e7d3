"""torchvision's ResNets, ResNeXt and wide ResNets with GroupNorm, our stem and any width."""

import math
from functools import partial
from typing import Any

from torch import nn
from torchvision.models import resnet

from gradval.models.layers import FULL_WIDTH, SMALL_IMAGE, group_norm
from gradval.models.residual_blocks import BasicBlock, Bottleneck


def resnet18(**size: int) -> nn.Module:
    """ResNet-18 (He et al. 2016); `size` as in `gradval.models.architectures.build_model`."""
    return _scaled(BasicBlock, [2, 2, 2, 2], **size)


def resnet101(**size: int) -> nn.Module:
    """ResNet-101 (He et al. 2016)."""
    return _scaled(Bottleneck, [3, 4, 23, 3], **size)


def resnext101(**size: int) -> nn.Module:
    """ResNeXt-101 32x8d (Xie et al. 2017)."""
    return _scaled(Bottleneck, [3, 4, 23, 3], cardinality=32, width_per_group=8, **size)


def wideresnet50(**size: int) -> nn.Module:
    """WideResNet-50-2 (Zagoruyko and Komodakis 2016)."""
    return _scaled(Bottleneck, [3, 4, 6, 3], width_per_group=128, **size)


def wideresnet101(**size: int) -> nn.Module:
    """WideResNet-101-2."""
    return _scaled(Bottleneck, [3, 4, 23, 3], width_per_group=128, **size)


def _scaled(
    block: type[BasicBlock] | type[Bottleneck],
    layers: list[int],
    *,
    channels: int,
    classes: int,
    image_size: int,
    width: int,
    groups: int,
    cardinality: int = 1,
    width_per_group: int = 64,
) -> nn.Module:
    narrowest = math.ceil(FULL_WIDTH / width_per_group)
    if width < narrowest:
        # Each of the groups in the first stage would have no channel at all.
        raise ValueError(f"width is {width}, but this architecture needs at least {narrowest}")
    model = _ScaledResNet(
        block,
        layers,
        width,
        groups=cardinality,
        width_per_group=width_per_group,
        norm_layer=partial(group_norm, groups=groups),
    )
    if image_size <= SMALL_IMAGE:
        model.conv1 = nn.Conv2d(channels, width, kernel_size=3, padding=1, bias=False)
        model.maxpool = nn.Identity()
    else:
        model.conv1 = nn.Conv2d(channels, width, kernel_size=7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    model.bn1 = group_norm(width, groups)
    model.fc = nn.Linear(8 * width * block.expansion, classes)
    _forbid_in_place(model)
    return model


class _ScaledResNet(resnet.ResNet):
    """torchvision fixes the stages at 64, 128, 256, 512 planes; this scales them."""

    def __init__(self, block: Any, layers: list[int], width: int, **options: Any) -> None:
        # Not a module: may be set before the module is there.
        self._width = width
        super().__init__(block, layers, **options)

    def _make_layer(
        self, block: Any, planes: int, blocks: int, stride: int = 1, dilate: bool = False
    ) -> Any:
        if planes == FULL_WIDTH:
            self.inplanes = self._width
        scaled = planes * self._width // FULL_WIDTH
        return super()._make_layer(block, scaled, blocks, stride, dilate)


def _forbid_in_place(model: nn.Module) -> None:
    """In-place activations overwrite what per-sample gradient hooks have recorded."""
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
