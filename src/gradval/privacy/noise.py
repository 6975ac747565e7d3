"""Gaussian noise for DP-SGD whose tail and whose floating-point numbers keep the promise.

PyTorch's own float32 normals end at 5.77 standard deviations on the CPU (their uniforms have 24
bits), and a float32 sum of gradient and noise can give the gradient away by its last bits (Mironov
2012). Here the mechanism is one of integers:

1. The clipped sum is rounded to a grid of 2^-36 standard deviations.
2. A normal deviate, rounded down to that grid, is added. Both are integers below 2^53, so their sum
   is exact.
3. The result is scaled back and rounded to the sum's own type.

Rounding down a sum of a grid point and a normal deviate is the same as adding the deviate rounded
down. So with exact deviates the output is a function of what the Gaussian mechanism gives for the
gridded sum, and its account holds, with a sensitivity that is larger by the rounding of step 1
(`rounding_share`).

The deviates are exact but for `RELATIVE_ERROR` and `TAIL_ERROR`: rejection sampling from a
piecewise constant envelope (`gradval.privacy.normal_table`) decides with as many random bits as the
decision needs, 12 in most cases and up to 72. What this leaves open of epsilon and delta is
`numerical_slack`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradval.privacy.keystream import KeyStream
from gradval.privacy.normal_table import (
    BIN_BITS,
    BINS,
    COIN_BITS,
    COLUMN_BITS,
    ESCAPE,
    LEVELS,
    alias_table,
)

# A standard deviation has 2^36 grid points.
GRID_BITS = 36

# A deviate below 4 standard deviations has its exact probability times a factor within this of 1:
# an acceptance of at least 0.939 is right to 2^-53 by its random bits and to 2^-53 by `exp`; the
# normalisation doubles that.
RELATIVE_ERROR = 5e-16
# The others, in total variation beside that: rounding of the tables, and that no deviate exceeds
# 16 standard deviations (1.3e-57).
TAIL_ERROR = 2e-24

# Bits of a word, from the lowest: column and leading bits of the coin (which bin), leading bits of
# the acceptance, place within the bin, sign.
_COARSE_BITS = 12
_PLACE_BITS = GRID_BITS - BIN_BITS
_COIN_AT = COLUMN_BITS
_ACCEPT_AT = _COIN_AT + _COARSE_BITS
_PLACE_AT = _ACCEPT_AT + _COARSE_BITS
_SIGN_AT = 63
_EXACT_BITS = 53  # Of the acceptance, where its leading bits do not decide.
# The smallest acceptance in [0, 4) is exp(-511 / 2^13), at the right end of its last bin.
_SURE = math.floor(2**_COARSE_BITS * math.exp(-(2 * BINS - 1) / 2 ** (2 * BIN_BITS + 1)))

# Words that are fetched together, and of those, words that a cache holds with all that is computed
# from them. Neither depends on the machine: the same key is the same noise everywhere.
_GROUP, _CACHED = 1 << 20, 1 << 15
# Sums are kept within this many grid points, so that float64 holds sum and noise exactly.
_LARGEST_SUM = 2.0**52


class GaussianNoise:
    """Normal deviates on the grid, from a stream of random bits.

    Args:
        stream: where the bits come from; its state is that of the noise.
        device: of the noise. The bits are made on the CPU; the same on every device.
    """

    def __init__(self, stream: KeyStream, device: torch.device | str = "cpu") -> None:
        self.stream = stream
        self.device = torch.device(device)

    def integers(self, count: int) -> Tensor:
        """Standard normal deviates rounded down to the grid, int64 `(count,)`, in 2^-36."""
        deviates, done = torch.empty(count, dtype=torch.int64, device=self.device), 0
        while (missing := count - done) > 0:
            # One in 160 candidates is rejected.
            wanted = min(_GROUP, missing + missing // 128 + 32)
            found = self._accepted(self.stream.words(wanted).to(self.device))[:missing]
            deviates[done : done + len(found)] = found
            done += len(found)
        return deviates

    def normal(self, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """Standard normal deviates of any shape."""
        flat = self.integers(math.prod(shape)).to(torch.float64).ldexp_(_tensor(-GRID_BITS))
        return flat.to(dtype).view(shape)

    def get_state(self) -> Tensor:
        """The state of the stream, uint8 `(40,)`, for `set_state`."""
        return self.stream.get_state()

    def set_state(self, state: Tensor) -> None:
        """Go on from what `get_state` returned.

        Raises:
            ValueError: it is not such a state.
        """
        self.stream.set_state(state)

    def _accepted(self, words: Tensor) -> Tensor:
        """The deviates of the candidates that are accepted, at most one a word."""
        deviates, kept = torch.empty_like(words), torch.empty_like(words, dtype=torch.bool)
        step = _CACHED if words.device.type == "cpu" else len(words)
        for start in range(0, len(words), step):
            here = slice(start, start + step)
            deviates[here], kept[here] = _clear_cases(words[here])
        unclear = (~kept).nonzero()[:, 0]
        deviates[unclear], kept[unclear] = self._all_cases(words[unclear])
        return deviates.masked_select(kept)

    def _all_cases(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """The candidates' deviates, and whether they are accepted, to the last bit."""
        more = self._fresh(2, len(words))
        coin_low = COIN_BITS - _COARSE_BITS
        coin = _bits(words, _COIN_AT, _COARSE_BITS) << coin_low | _bits(more[0], 0, coin_low)
        bins = _bin(0, _bits(words, 0, COLUMN_BITS), coin)
        for level in range(1, LEVELS):
            beyond = (bins == level * BINS).nonzero()[:, 0]
            again = self._fresh(2, len(beyond))
            column, coin = _bits(again[0], 0, COLUMN_BITS), _bits(again[1], 0, COIN_BITS)
            bins[beyond] = _bin(level, column, coin)
        accept_low = _EXACT_BITS - _COARSE_BITS
        chance = _bits(words, _ACCEPT_AT, _COARSE_BITS) << accept_low | _bits(
            more[1], 0, accept_low
        )
        accepted = chance.double() < _acceptance(bins, words).ldexp_(_tensor(_EXACT_BITS))
        return _assemble(bins, words), accepted

    def _fresh(self, rows: int, count: int) -> Tensor:
        return self.stream.words(rows * count).to(self.device).view(rows, count)


def _clear_cases(words: Tensor) -> tuple[Tensor, Tensor]:
    """Deviates, and which of them are right and accepted whatever further bits would say."""
    table = alias_table(0, words.device)
    column = _bits(words, 0, COLUMN_BITS)
    coin, threshold = _bits(words, _COIN_AT, _COARSE_BITS), table.coarse.index_select(0, column)
    bins = torch.where(coin < threshold, column, table.alias.index_select(0, column))
    clear = _bits(words, _ACCEPT_AT, _COARSE_BITS) < _SURE
    clear &= coin != threshold
    clear &= bins != ESCAPE
    return _assemble(bins, words), clear


def _bin(level: int, column: Tensor, coin: Tensor) -> Tensor:
    """Which bin, counted from zero; if beyond the level, the first of the next level."""
    table = alias_table(level, column.device)
    own = coin < table.threshold[column]
    return torch.where(own, column, table.alias[column]) + level * BINS


def _acceptance(bins: Tensor, words: Tensor) -> Tensor:
    """exp(-x^2 / 2) over its value at the left edge of the bin, float64."""
    place = (_bits(words, _PLACE_AT, _PLACE_BITS).double() + 0.5).ldexp_(_tensor(-_PLACE_BITS))
    return torch.exp(-(place * (2 * bins + place)).ldexp_(_tensor(-2 * BIN_BITS - 1)))


def _assemble(bins: Tensor, words: Tensor) -> Tensor:
    """The grid point of bin, place and sign: the complement of m is -m - 1, rounded down too."""
    magnitude = (bins << _PLACE_BITS).bitwise_or_(_bits(words, _PLACE_AT, _PLACE_BITS))
    return magnitude.bitwise_xor_(words >> _SIGN_AT)


def _bits(words: Tensor, start: int, count: int) -> Tensor:
    return (words >> start).bitwise_and_((1 << count) - 1)


def _tensor(exponent: int) -> Tensor:
    return torch.tensor(float(exponent), dtype=torch.float64)


def privatise(total: Tensor, noise: Tensor, deviation: float) -> Tensor:
    """A sum with Gaussian noise of standard deviation `deviation`, by the steps above.

    Args:
        total: float32 or float64, what is protected. A value beyond 65,536 standard deviations is
            cut off there, which makes no sensitivity larger.
        noise: int64 of the same number of elements, of `GaussianNoise.integers`, used only once.
        deviation: >= 0, in the units of `total`; with 0 there is no noise.
    """
    if deviation == 0:
        return total.clone()
    cells = (total.double() * (2.0**GRID_BITS / deviation)).round_()
    cells.clamp_(-_LARGEST_SUM, _LARGEST_SUM).add_(noise.view_as(cells))
    return cells.mul_(deviation / 2.0**GRID_BITS).to(total.dtype)


@dataclass(frozen=True)
class Slack:
    """What is to be added to a guarantee of the ideal Gaussian mechanism.

    Attributes:
        epsilon, delta: to be added to it.
        rounding: by which share the sensitivity is larger.
    """

    epsilon: float
    delta: float
    rounding: float


def numerical_slack(coordinates: int, steps: int, noise_multiplier: float, epsilon: float) -> Slack:
    """What floating point leaves open in a run, if the random bits are uniform.

    Every one of D = coordinates x steps deviates has the right probability to a factor of
    1 +- `RELATIVE_ERROR`, apart from `TAIL_ERROR` in total variation. Factors multiply, which
    adds 2 D `RELATIVE_ERROR` to epsilon; total variation adds (1 + e^epsilon) D `TAIL_ERROR` to
    delta.

    Args:
        coordinates: number of parameters that are trained.
        steps: of the run.
        noise_multiplier: standard deviation of the noise / clipping norm.
        epsilon: of the guarantee.
    """
    draws = coordinates * steps
    extra = 2 * draws * RELATIVE_ERROR
    return Slack(
        epsilon=extra,
        delta=(1 + math.exp(epsilon + extra)) * draws * TAIL_ERROR,
        rounding=rounding_share(coordinates, noise_multiplier),
    )


def rounding_share(coordinates: int, noise_multiplier: float) -> float:
    """By which share rounding to the grid can lift a contribution above the clipping norm.

    Two sums that differ by a contribution differ by at most one grid point more in each coordinate,
    2^-36 standard deviations, so by sqrt(d) of them in L2 norm.
    """
    return noise_multiplier * math.sqrt(coordinates) * 2.0**-GRID_BITS
