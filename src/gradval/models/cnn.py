"""A small convolutional network, for studies that train very many models."""

from torch import nn

from gradval.models.layers import group_norm


class CNN(nn.Sequential):
    """Two 3x3 convolutions with GroupNorm, ReLU and 2x2 max-pooling, and a linear layer.

    Args:
        channels: input channels.
        classes: number of logits.
        image_size: height = width of the images, at least 8.
        width: channels of the first convolution; the second has twice as many.
        groups: largest number of groups of a GroupNorm.
    """

    def __init__(
        self, channels: int, classes: int, image_size: int, width: int, groups: int
    ) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in ((channels, width), (width, 2 * width)):
            layers += [
                nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),
                group_norm(outputs, groups),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        super().__init__(
            *layers,
            nn.AdaptiveMaxPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * width, classes),
        )
