"""ResNet-9."""

from torch import Tensor, nn

from gradval.models.layers import SMALL_IMAGE, group_norm


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
