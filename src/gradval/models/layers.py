"""What the architectures share: their norm, and what counts as a small image."""

from torch import nn

SMALL_IMAGE = 64
FULL_WIDTH = 64
# A group of a single channel on a 1x1 map would be normalised to zero.
MIN_CHANNELS_PER_GROUP = 4


def group_norm(channels: int, groups: int) -> nn.GroupNorm:
    """GroupNorm with at most `groups` groups of at least four channels each."""
    most = max(1, min(groups, channels // MIN_CHANNELS_PER_GROUP))
    divisor = next(g for g in range(most, 0, -1) if channels % g == 0)
    return nn.GroupNorm(divisor, channels)
