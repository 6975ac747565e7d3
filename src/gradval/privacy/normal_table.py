"""Tables of exact integers from which a normal distribution is drawn (`gradval.privacy.noise`).

The half line [0, 16) is cut into 1,024 bins of width 1/64. Over each the density exp(-x^2 / 2) is
at most its value at the bin's left edge, which is the height of the envelope there. A bin is drawn
with probability proportional to that height; the draw within it is uniform and then accepted with
the ratio of density to height.

Four levels of 256 bins, because no word resolves probabilities of 1e-50: level 0 covers [0, 4) and
has one more outcome, `ESCAPE`, which stands for all that is beyond and is then drawn from level 1,
and so on. Probabilities of a level are multiples of 2^-72, found by exact arithmetic, and are drawn
by Walker's alias method without any rounding.
"""

from dataclasses import dataclass
from decimal import Context
from functools import cache

import torch
from torch import Tensor

BIN_BITS = 6  # Bins have width 2^-6.
BINS, LEVELS = 256, 4  # Bins of a level, and levels.
ESCAPE = BINS  # The outcome of a level that stands for all levels above it.
COLUMN_BITS, COIN_BITS = 9, 63  # Of the alias method: which column, and which half of it.
LARGEST = BINS * LEVELS / 2**BIN_BITS  # No draw is as large, in standard deviations.

_CONTEXT = Context(prec=60)


@dataclass(frozen=True)
class AliasTable:
    """One level: a fair column c and a fair coin of 63 bits give an outcome.

    Attributes:
        threshold: int64 `(512,)`; the outcome is c if the coin is below, else `alias`.
        alias: int64 `(512,)`.
        coarse: int64 `(512,)`, the thresholds' leading 12 bits.
    """

    threshold: Tensor
    alias: Tensor
    coarse: Tensor


def envelope(level: int) -> list[int]:
    """Probabilities of the outcomes of a level, in units of 2^-72, and exactly 2^72 together.

    Args:
        level: in 0..3.

    Returns:
        257 integers: the bins of the level, and `ESCAPE`.
    """
    heights = [_height(k) for k in range(level * BINS, LEVELS * BINS)]
    weights = [*heights[:BINS], sum(heights[BINS:])]
    total, whole = sum(weights), 1 << (COLUMN_BITS + COIN_BITS)
    units = [(2 * weight * whole + total) // (2 * total) for weight in weights]
    # What rounding left goes to the most probable outcome, where it matters least.
    largest = units.index(max(units))
    units[largest] += whole - sum(units)
    return units


def _height(k: int) -> int:
    """exp(-(k/64)^2 / 2) as a multiple of 10^-120; all digits that matter are right."""
    exponent = _CONTEXT.divide(_CONTEXT.create_decimal(-k * k), 2 * 4**BIN_BITS)
    return int(_CONTEXT.scaleb(_CONTEXT.exp(exponent), 120))


@cache
def alias_table(level: int, device: torch.device) -> AliasTable:
    """The table of a level on a device, by Walker's (1977) method in integers."""
    columns, capacity = 1 << COLUMN_BITS, 1 << COIN_BITS
    units = envelope(level)
    left = units + [0] * (columns - len(units))
    threshold, alias = [0] * columns, list(range(columns))
    small = [c for c in range(columns) if left[c] < capacity]
    large = [c for c in range(columns) if left[c] >= capacity]
    while small:
        poor, rich = small.pop(), large[-1]
        threshold[poor], alias[poor] = left[poor], rich
        left[rich] -= capacity - left[poor]
        if left[rich] < capacity:
            small.append(large.pop())
    # What is left fills its column: both halves of it are the same outcome.
    thresholds = torch.tensor(threshold, dtype=torch.int64)
    return AliasTable(
        thresholds.to(device),
        torch.tensor(alias).to(device),
        (thresholds >> (COIN_BITS - 12)).to(device),
    )
