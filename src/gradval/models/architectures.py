"""The six architectures of the study (paper, appendix A.1), all without batch statistics.

GroupNorm stands in the place of BatchNorm, which mixes samples and so has neither per-sample
gradients nor a DP guarantee. Images of up to 64 pixels get a 3x3 stride-1 stem without max-pooling.
The private and the non-private model are the same architecture.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gradval.data.store import Store
from gradval.models.weight_standardisation import standardise_convolutions

SMALL_IMAGE = 64
FULL_WIDTH = 64
# A group of a single channel on a 1x1 map would be normalised to zero.
MIN_CHANNELS_PER_GROUP = 4


def group_norm(channels: int, groups: int) -> nn.GroupNorm:
    """GroupNorm with at most `groups` groups of at least four channels each."""
    most = max(1, min(groups, channels // MIN_CHANNELS_PER_GROUP))
    divisor = next(g for g in range(most, 0, -1) if channels % g == 0)
    return nn.GroupNorm(divisor, channels)


class ConvBlock(nn.Sequential):
    """3x3 convolution, GroupNorm, ReLU and, if asked for, 2x2 max-pooling."""

    def __init__(self, inputs: int, outputs: int, groups: int, pool: bool = False) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),
            group_norm(outputs, groups),
            nn.ReLU(),
            *([nn.MaxPool2d(2)] if pool else []),
        )


class Residual(nn.Module):
    """Two `ConvBlock`s with an identity shortcut."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ConvBlock(channels, channels, groups), ConvBlock(channels, channels, groups)
        )

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` in and out."""
        residual: Tensor = self.body(x)
        return x + residual


class ResNet9(nn.Sequential):
    """The nine-layer residual network common in DP image classification.

    Args:
        channels: input channels.
        classes: number of logits.
        image_size: height = width of the images, at least 8.
        width: channels of the first block; the last has eight times as many. 64 is full width.
        groups: largest number of groups of a GroupNorm.
    """

    def __init__(
        self, channels: int, classes: int, image_size: int, width: int, groups: int
    ) -> None:
        stem: list[nn.Module] = [ConvBlock(channels, width, groups)]
        if image_size > SMALL_IMAGE:
            # Two more poolings bring 224 pixels to the 56 at which ImageNet stems leave off.
            stem += [nn.MaxPool2d(4)]
        super().__init__(
            *stem,
            ConvBlock(width, 2 * width, groups, pool=True),
            Residual(2 * width, groups),
            ConvBlock(2 * width, 4 * width, groups, pool=True),
            ConvBlock(4 * width, 8 * width, groups, pool=True),
            Residual(8 * width, groups),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            nn.Linear(8 * width, classes),
        )


def _torchvision(
    block: str,
    layers: list[int],
    *,
    cardinality: int = 1,
    width_per_group: int = 64,
) -> Callable[[int, int, int, int, int], nn.Module]:
    """A builder of torchvision's ResNet with our norm, stem and width."""

    def build(channels: int, classes: int, image_size: int, width: int, groups: int) -> nn.Module:
        narrowest = math.ceil(FULL_WIDTH / width_per_group)
        if width < narrowest:
            # Each of the groups in the first stage would have no channel at all.
            raise ValueError(f"width is {width}, but this architecture needs at least {narrowest}")
        # Imported here: it takes longer than building ResNet-9.
        from torchvision.models import resnet

        from gradval.models import residual_blocks

        class ScaledResNet(resnet.ResNet):
            """torchvision fixes the stages at 64, 128, 256, 512 planes; this scales them."""

            def _make_layer(
                self, block: Any, planes: int, blocks: int, stride: int = 1, dilate: bool = False
            ) -> Any:
                if planes == FULL_WIDTH:
                    self.inplanes = width
                scaled = planes * width // FULL_WIDTH
                return super()._make_layer(block, scaled, blocks, stride, dilate)

        residual_block = getattr(residual_blocks, block)
        model = ScaledResNet(
            residual_block,
            layers,
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
        model.fc = nn.Linear(8 * width * residual_block.expansion, classes)
        _forbid_in_place(model)
        return model

    return build


def _forbid_in_place(model: nn.Module) -> None:
    """In-place activations overwrite what per-sample gradient hooks have recorded."""
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False


ARCHITECTURES: dict[str, Callable[[int, int, int, int, int], nn.Module]] = {
    "resnet9": ResNet9,
    "resnet18": _torchvision("BasicBlock", [2, 2, 2, 2]),
    "resnet101": _torchvision("Bottleneck", [3, 4, 23, 3]),
    "resnext101": _torchvision("Bottleneck", [3, 4, 23, 3], cardinality=32, width_per_group=8),
    "wideresnet50": _torchvision("Bottleneck", [3, 4, 6, 3], width_per_group=128),
    "wideresnet101": _torchvision("Bottleneck", [3, 4, 23, 3], width_per_group=128),
}


def build_model(
    architecture: str,
    *,
    channels: int,
    classes: int,
    image_size: int,
    width: int = FULL_WIDTH,
    groups: int = 32,
    weight_standardisation: bool = False,
    seed: int | None = None,
) -> nn.Module:
    """Build one of the study's models with freshly drawn weights.

    Args:
        architecture: a key of `ARCHITECTURES`.
        channels: input channels.
        classes: number of logits.
        image_size: height = width of the images in pixels.
        width: channels of the first stage; 64 is full width.
        groups: largest number of groups of a GroupNorm.
        weight_standardisation: whether convolutions standardise their weights; the parameters and
            their initial values are the same.
        seed: fixes the initial weights without touching the global random state; `None` draws
            them from the global state.

    Returns:
        A module mapping `(N, channels, image_size, image_size)` float to logits `(N, classes)`.

    Raises:
        ValueError: the architecture is unknown, or too narrow for its groups of channels.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f"unknown architecture {architecture!r}; known are {', '.join(ARCHITECTURES)}"
        )
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        model = ARCHITECTURES[architecture](channels, classes, image_size, width, groups)
    if weight_standardisation:
        standardise_convolutions(model)
    return model


def model_for(store: Store, options: Mapping[str, Any], seed: int | None = None) -> nn.Module:
    """The model that a config's model block describes, sized for a data set.

    Args:
        store: gives input channels, image size and classes.
        options: `architecture`, `width`, `groups` and, if it is not false,
            `weight_standardisation` as in `build_model`.
        seed: as in `build_model`.
    """
    channels, height, _ = store.image_shape
    return build_model(
        options["architecture"],
        channels=channels,
        classes=len(store.classes),
        image_size=height,
        width=options["width"],
        groups=options["groups"],
        weight_standardisation=options.get("weight_standardisation", False),
        seed=seed,
    )


def parameter_count(model: nn.Module) -> int:
    """Number of trainable scalars."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
