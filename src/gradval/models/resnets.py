"""ResNets, ResNeXt and wide ResNets with GroupNorm, for images of any size.

Names of parameters, initial weights and results are those of torchvision's `ResNet` with another
norm, width and stem; the tests hold it against that. Two things speak for our own: torchvision adds
the shortcut in place, which hooks for per-sample gradients refuse, and importing it takes longer
than a small model trains.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from torch import Tensor, nn

from gradval.models.layers import FULL_WIDTH, SMALL_IMAGE, group_norm

Norm = Callable[[int], nn.Module]


def resnet18(**size: int) -> nn.Module:
    """ResNet-18 (He et al. 2016); `size` as in `gradval.models.architectures.build_model`."""
    return ResNet(BasicBlock, [2, 2, 2, 2], **size)


def resnet101(**size: int) -> nn.Module:
    """ResNet-101 (He et al. 2016)."""
    return ResNet(Bottleneck, [3, 4, 23, 3], **size)


def resnext101(**size: int) -> nn.Module:
    """ResNeXt-101 32x8d (Xie et al. 2017)."""
    return ResNet(Bottleneck, [3, 4, 23, 3], cardinality=32, width_per_group=8, **size)


def wideresnet50(**size: int) -> nn.Module:
    """WideResNet-50-2 (Zagoruyko and Komodakis 2016)."""
    return ResNet(Bottleneck, [3, 4, 6, 3], width_per_group=128, **size)


def wideresnet101(**size: int) -> nn.Module:
    """WideResNet-101-2."""
    return ResNet(Bottleneck, [3, 4, 23, 3], width_per_group=128, **size)


def convolution(
    inputs: int, outputs: int, kernel_size: int, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    """A convolution without bias, padded so that only its stride changes the size of a map."""
    padding = kernel_size // 2
    return nn.Conv2d(inputs, outputs, kernel_size, stride, padding, groups=groups, bias=False)


class Block(nn.Module):
    """A residual block: a branch, a shortcut, and the ReLU of their sum.

    Args:
        inputs: channels that come in.
        planes: channels that the stage is named by; `expansion` times as many go out.
        stride: of the first 3x3 convolution of the branch, and of the shortcut.
        cardinality: groups of the 3x3 convolution.
        width_per_group: channels of each of them in a stage of 64 planes.
        norm: norm layer of a number of channels.
    """

    expansion: ClassVar[int]
    downsample: nn.Module | None

    def _add_shortcut(self, inputs: int, outputs: int, stride: int, norm: Norm) -> None:
        self.relu = nn.ReLU()
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(convolution(inputs, outputs, 1, stride), norm(outputs))

    def branch(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', H', W')`."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', H', W')`."""
        residual = self.branch(x)
        shortcut = x if self.downsample is None else self.downsample(x)
        output: Tensor = self.relu(residual + shortcut)
        return output


class BasicBlock(Block):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(
        self,
        inputs: int,
        planes: int,
        stride: int,
        cardinality: int,
        width_per_group: int,
        norm: Norm,
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = convolution(inputs, planes, 3, stride), norm(planes)
        self.conv2, self.bn2 = convolution(planes, planes, 3), norm(planes)
        self._add_shortcut(inputs, planes, stride, norm)

    def branch(self, x: Tensor) -> Tensor:
        hidden = self.relu(self.bn1(self.conv1(x)))
        output: Tensor = self.bn2(self.conv2(hidden))
        return output


class Bottleneck(Block):
    """A 3x3 convolution, perhaps grouped, between two 1x1 ones, and a shortcut."""

    expansion = 4

    def __init__(
        self,
        inputs: int,
        planes: int,
        stride: int,
        cardinality: int,
        width_per_group: int,
        norm: Norm,
    ) -> None:
        super().__init__()
        width = int(planes * width_per_group / FULL_WIDTH) * cardinality
        outputs = planes * self.expansion
        self.conv1, self.bn1 = convolution(inputs, width, 1), norm(width)
        self.conv2, self.bn2 = convolution(width, width, 3, stride, cardinality), norm(width)
        self.conv3, self.bn3 = convolution(width, outputs, 1), norm(outputs)
        self._add_shortcut(inputs, outputs, stride, norm)

    def branch(self, x: Tensor) -> Tensor:
        hidden = self.relu(self.bn1(self.conv1(x)))
        hidden = self.relu(self.bn2(self.conv2(hidden)))
        output: Tensor = self.bn3(self.conv3(hidden))
        return output


class ResNet(nn.Module):
    """A stem, four stages of residual blocks, and a linear head on the mean over the map.

    Args:
        block: kind of the blocks.
        blocks: how many there are in each stage.
        channels: input channels.
        classes: number of logits.
        image_size: height = width of the images; up to 64 pixels the stem is a 3x3 convolution
            without max-pooling.
        width: planes of the first stage, which doubles from stage to stage; 64 is full width.
        groups: largest number of groups of a GroupNorm.
        cardinality, width_per_group: of the 3x3 convolutions, see `Block`.

    Raises:
        ValueError: `width` leaves a group of channels of the first stage empty.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        blocks: Sequence[int],
        channels: int,
        classes: int,
        image_size: int,
        width: int,
        groups: int,
        *,
        cardinality: int = 1,
        width_per_group: int = FULL_WIDTH,
    ) -> None:
        super().__init__()
        narrowest = math.ceil(FULL_WIDTH / width_per_group)
        if width < narrowest:
            raise ValueError(f"width is {width}, but this architecture needs at least {narrowest}")
        norm = partial(group_norm, groups=groups)
        # Stem and head begin as torchvision's own, for 1,000 classes of large colour images, and
        # are drawn anew below: so a seed gives the same weights as it does there.
        self.conv1: nn.Conv2d = nn.Conv2d(3, FULL_WIDTH, kernel_size=7, bias=False)
        self.bn1 = norm(width)
        self.relu = nn.ReLU()
        small = image_size <= SMALL_IMAGE
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, stride=2, padding=1)
        inputs = width
        for stage, count in enumerate(blocks, start=1):
            planes = width << (stage - 1)
            parts = []
            for i in range(count):
                stride = 2 if stage > 1 and i == 0 else 1
                parts.append(block(inputs, planes, stride, cardinality, width_per_group, norm))
                inputs = planes * block.expansion
            self.add_module(f"layer{stage}", nn.Sequential(*parts))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8 * FULL_WIDTH * block.expansion, 1000)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                _initialise(module)
        if small:
            self.conv1 = convolution(channels, width, 3)
        else:
            self.conv1 = convolution(channels, width, 7, stride=2)
        _initialise(self.conv1)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images `(N, C, H, W)` to logits `(N, classes)`."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(self.avgpool(x).flatten(1))
        return logits


def _initialise(convolution: nn.Conv2d) -> None:
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
