"""torchvision's residual blocks without their in-place addition.

Opacus's hooks refuse a layer's output that is overwritten later, as torchvision's shortcut does.
Names of parameters, initial weights and results are torchvision's own.
"""

from torch import Tensor
from torchvision.models import resnet


class BasicBlock(resnet.BasicBlock):
    """Two 3x3 convolutions and a shortcut (He et al. 2016)."""

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', H', W')`."""
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.bn2(self.conv2(residual))
        shortcut = x if self.downsample is None else self.downsample(x)
        output: Tensor = self.relu(residual + shortcut)
        return output


class Bottleneck(resnet.Bottleneck):
    """A 3x3 convolution, perhaps grouped, between two 1x1 ones, and a shortcut."""

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` to `(N, C', H', W')`."""
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        shortcut = x if self.downsample is None else self.downsample(x)
        output: Tensor = self.relu(residual + shortcut)
        return output
