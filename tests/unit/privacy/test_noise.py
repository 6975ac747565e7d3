"""Gaussian noise: the right distribution to the far tail, on a grid, and what is left open."""

from decimal import Context, Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import chisquare, kstest, norm, poisson, truncnorm

from gradval.privacy import noise as noises
from gradval.privacy.keystream import KeyStream
from gradval.privacy.noise import GaussianNoise, numerical_slack, privatise, rounding_share
from gradval.privacy.normal_table import (
    BINS,
    COIN_BITS,
    COLUMN_BITS,
    ESCAPE,
    LARGEST,
    LEVELS,
    alias_table,
    envelope,
)

KEY = bytes(range(32))
CPU = torch.device("cpu")
EXACT = Context(prec=60)
# Where PyTorch's float32 normals end: its smallest uniform is 2^-24.
TORCH_END = (2 * 24 * np.log(2)) ** 0.5


def source(key: bytes = KEY) -> GaussianNoise:
    return GaussianNoise(KeyStream(key))


class Forced(KeyStream):
    """Random words, but the first calls select the outcome that stands for all beyond a level.

    Only the bits that choose the bin are forced: by the leading bits of the coin in candidates,
    and by whole words where a level is drawn anew.
    """

    def __init__(self, levels: int) -> None:
        super().__init__(KEY)
        self.levels, self.calls = levels, 0

    def words(self, count: int) -> torch.Tensor:
        words = super().words(count)
        # Call 0: candidates. 1: their further bits. 2, 3, ..: column and coin of levels 1, 2, ..
        call, self.calls = self.calls, self.calls + 1
        if call == 0:
            # A coin of zero takes the column's own outcome, and the column is the escape.
            words = words >> 21 << 21 | ESCAPE
        elif call == 1:
            words[: count // 2] = 0
        elif call - 1 < self.levels:
            words[: count // 2], words[count // 2 :] = ESCAPE, 0
        return words


def test_moments_are_those_of_a_standard_normal() -> None:
    n = 4_000_000
    draws = source().normal(n)
    # Six standard errors: the k-th moment's variance is that of z^k.
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)):
        assert abs(float(draws.pow(power).mean()) - mean) < 6 * (variance / n) ** 0.5


def test_the_distribution_is_normal() -> None:
    draws = source().normal(1_000_000).numpy()
    assert kstest(draws, norm.cdf).pvalue > 1e-4
    edges = norm.ppf(np.linspace(0, 1, 1001))
    assert chisquare(np.histogram(draws, edges)[0]).pvalue > 1e-4


def test_the_last_bits_are_uniform() -> None:
    draws = source().integers(1_000_000)
    for shift in (0, 8, 16):
        counts = ((draws >> shift) & 255).bincount(minlength=256)
        assert chisquare(counts.numpy()).pvalue > 1e-5


def test_counts_in_the_tail() -> None:
    n, counts = 20_000_000, dict.fromkeys((4.0, 4.5, 5.0), 0)
    generator = source()
    for _ in range(20):
        draws = generator.integers(n // 20).abs()
        for threshold in counts:
            counts[threshold] += int((draws >= threshold * 2**36).sum())
    for threshold, count in counts.items():
        expected = 2 * n * norm.sf(threshold)
        assert poisson.cdf(count, expected) > 1e-5
        assert poisson.sf(count - 1, expected) > 1e-5


def test_the_tables_imply_the_normal_distribution_in_every_bin_up_to_sixteen() -> None:
    """What the method draws with exact arithmetic, found from the tables alone."""
    reached, probabilities = 1.0, []
    for level in range(LEVELS):
        units = [unit / 2**72 for unit in envelope(level)]
        probabilities += [reached * unit for unit in units[:BINS]]
        reached *= units[ESCAPE]
    # Not the difference of distribution functions, which cancels.
    edges = np.arange(LEVELS * BINS) / 64
    acceptance = [
        64 * quad(lambda x, a=a: np.exp((a**2 - x**2) / 2), a, a + 1 / 64)[0] for a in edges
    ]
    drawn = np.array(probabilities) * acceptance
    expected = [quad(norm.pdf, a, a + 1 / 64)[0] for a in edges]
    relative = np.abs(drawn / drawn.sum() / (2 * np.array(expected)) - 1)
    assert relative[edges < 8].max() < 1e-10
    # Beyond 12 the last bins are too rare for the resolution of their level.
    assert relative[edges < 12].max() < 1e-3
    assert relative[edges < 14].max() < 1e-2
    # PyTorch's float32 normals have nothing here.
    beyond = drawn[edges > TORCH_END].sum() / drawn.sum()
    first = edges[edges > TORCH_END][0]
    assert beyond == pytest.approx(2 * norm.sf(first), rel=1e-9)


@pytest.mark.parametrize("level", range(LEVELS))
def test_an_alias_table_gives_each_outcome_its_exact_probability(level) -> None:
    table, columns = alias_table(level, CPU), 1 << COLUMN_BITS
    found = [0] * columns
    for column in range(columns):
        threshold = int(table.threshold[column])
        found[column] += threshold
        found[int(table.alias[column])] += (1 << COIN_BITS) - threshold
    units = envelope(level)
    assert found == units + [0] * (columns - len(units))
    assert sum(units) == 1 << 72


@pytest.mark.parametrize(("levels", "start"), [(1, 4.0), (2, 8.0), (3, 12.0)])
def test_the_tail_is_drawn_as_it_should_be(levels, start) -> None:
    """Candidates that escape the levels are distributed as a normal beyond them."""
    stream = Forced(levels)
    # One call for candidates, which are more than asked for.
    draws = GaussianNoise(stream).normal(200_000)[:150_000]
    magnitudes = draws.abs().numpy()
    assert magnitudes.min() >= start
    assert abs(float(draws.sign().mean())) < 6 / 150_000**0.5
    assert kstest(magnitudes, truncnorm(start, LARGEST).cdf).pvalue > 1e-4
    if levels == 1:
        beyond = int((magnitudes > TORCH_END).sum())
        expected = len(magnitudes) * norm.sf(TORCH_END) / norm.sf(start)
        assert 1e-4 < poisson.cdf(beyond, expected) < 1 - 1e-4


def test_torch_has_no_such_tail() -> None:
    """Why there is a generator of our own; if this fails, PyTorch's may do."""
    smallest = 2.0**-24
    assert (-2 * np.log(smallest)) ** 0.5 == TORCH_END < 5.7683
    uniform = torch.rand(1_000_000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(uniform * 2**24, (uniform * 2**24).round())


def test_the_acceptance_is_as_exact_as_stated() -> None:
    """Its error, and the tables', are within the constants that the slack is made of."""
    words = KeyStream(KEY).words(2000)
    bins = torch.arange(2000) % BINS
    found = noises._acceptance(bins, words)
    worst, smallest = Decimal(0), 1.0
    for k, word, value in zip(bins.tolist(), words.tolist(), found.tolist(), strict=True):
        place = (word >> 33) % 2**30
        f = Fraction(2 * place + 1, 2**31)
        exponent = -f * (2 * k + f) / 2**13
        exact = EXACT.exp(EXACT.divide(Decimal(exponent.numerator), Decimal(exponent.denominator)))
        worst, smallest = max(worst, abs(Decimal(value) - exact)), min(smallest, value)
    assert worst <= Decimal(2) ** -53
    assert noises._SURE / 2**12 <= np.exp(-511 / 2**13) <= smallest
    relative, beyond = _errors_of_tables()
    assert 2 * (2 * 2.0**-53 / 0.939) + relative <= noises.RELATIVE_ERROR
    assert beyond + 2 * norm.sf(LARGEST) <= noises.TAIL_ERROR


def _errors_of_tables() -> tuple[float, float]:
    """Largest relative error of a bin below 4, or of all beyond; and the errors within that."""

    def height(k: int) -> Decimal:
        return EXACT.exp(Decimal(-k * k) / Decimal(8192))

    heights = [height(k) for k in range(LEVELS * BINS)]
    total, above = sum(heights, Decimal(0)), sum(heights[BINS:], Decimal(0))
    units = [Decimal(unit) / Decimal(2**72) for unit in envelope(0)]
    exact = [h / total for h in heights[:BINS]] + [above / total]
    relative = max(abs(unit / e - 1) for unit, e in zip(units, exact, strict=True))
    reached, beyond = above / total, Decimal(0)
    for level in range(1, LEVELS):
        units = [Decimal(unit) / Decimal(2**72) for unit in envelope(level)]
        for b in range(BINS):
            beyond += abs(reached * units[b] - heights[level * BINS + b] / total)
        reached *= units[ESCAPE]
    return float(relative), float(beyond)


def test_all_ways_through_the_decisions_agree() -> None:
    """The quick decision is the thorough one wherever it dares to decide."""
    words = KeyStream(KEY).words(300_000)
    quick, clear = noises._clear_cases(words)
    thorough, accepted = source()._all_cases(words)
    assert 0.93 < float(clear.double().mean()) < 0.95
    assert accepted[clear].all()
    assert torch.equal(quick[clear], thorough[clear])
    # Further bits change what is not clear, and only that.
    other, others = source(bytes(32))._all_cases(words)
    changed = (other != thorough) | (others != accepted)
    assert changed.any()
    assert not changed[clear].any()


def test_seeded_noise_repeats_and_is_resumed_to_the_bit() -> None:
    generator = source()
    first = generator.integers(3_000_000)
    assert torch.equal(source().integers(3_000_000), first)
    state = generator.stream.get_state()
    expected = generator.integers(1_500_000)
    other = source(bytes(32))
    other.stream.set_state(state)
    assert torch.equal(other.integers(1_500_000), expected)


def test_noise_does_not_depend_on_the_threads(monkeypatch) -> None:
    alone = source().integers(500_000)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(source().integers(500_000), alone)


def test_streams_are_independent() -> None:
    n = 1_000_000
    a, generator = source(bytes(32)).normal(n), source()
    b, c = generator.normal(n), generator.normal(n)
    stacked = torch.corrcoef(torch.stack([a, b, c, a**2, b**2, c**2])) - torch.eye(6)
    # Six standard errors; neighbours in one stream too.
    assert float(stacked.abs().max()) < 6 / n**0.5
    assert abs(float((b[1:] * b[:-1]).mean())) < 6 / n**0.5


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (2, 3, 5), (1 << 20,), (1025, 1025)])
def test_any_shape(shape) -> None:
    for dtype in (torch.float32, torch.float64):
        draws = source().normal(*shape, dtype=dtype)
        assert draws.shape == shape
        assert draws.dtype == dtype


def test_a_privatised_sum_is_an_exact_sum_of_integers() -> None:
    """So its last bits depend on the grid and not on the sum."""
    deviation = 0.7
    total = torch.randn(2000, generator=torch.Generator().manual_seed(0)) * 50
    draws = source().integers(2000)
    found = privatise(total.double(), draws, deviation)
    for value, before, draw in zip(found.tolist(), total.tolist(), draws.tolist(), strict=True):
        cell = Fraction(before) * 2**36 / Fraction(deviation)
        # The scaled sum is rounded to float64 before it is rounded to the grid.
        whole = round(float(cell))
        assert abs(whole - cell) <= Fraction(1, 2) + abs(cell) / 2**52
        assert (
            abs(Fraction(value) - (whole + draw) * Fraction(deviation) / 2**36)
            <= abs(value) / 2**52
        )
    single = privatise(total, draws, deviation)
    assert single.dtype == torch.float32
    assert torch.equal(single, found.float())


def test_noise_has_the_stated_deviation() -> None:
    total = torch.full((1000, 1000), 3.0)
    added = privatise(total, source().integers(1_000_000), 2.5) - 3
    assert added.shape == total.shape
    assert abs(float(added.mean())) < 6 * 2.5 / 1e3
    assert abs(float(added.std()) / 2.5 - 1) < 6 / 2e6**0.5


def test_without_noise_a_sum_stays_as_it_is() -> None:
    total = torch.tensor([0.1, -3.0])
    assert torch.equal(privatise(total, torch.tensor([5, 6]), 0.0), total)


def test_huge_sums_are_cut_off_and_what_is_not_a_number_stays_so() -> None:
    total = torch.tensor([1e30, -1e30, float("inf"), float("nan")])
    found = privatise(total, torch.zeros(4, dtype=torch.int64), 1.0)
    assert found[:3].tolist() == [65536.0, -65536.0, 65536.0]
    assert found[3].isnan()


def test_rounding_hardly_lifts_a_contribution() -> None:
    """The grid's share of the sensitivity, for the worst and for a random contribution."""
    d, multiplier = 10_000, 5.0
    share = rounding_share(d, multiplier)
    assert share == pytest.approx(5 * 100 * 2**-36)
    generator = torch.Generator().manual_seed(0)
    total = torch.randn(d, generator=generator, dtype=torch.float64)
    contribution = torch.randn(d, generator=generator, dtype=torch.float64)
    contribution /= contribution.norm()
    zeros = torch.zeros(d, dtype=torch.int64)
    difference = privatise(total + contribution, zeros, 5.0) - privatise(total, zeros, 5.0)
    assert abs(float(difference.norm()) - 1) <= share


def test_the_slack_is_a_number() -> None:
    slack = numerical_slack(700_000, 2_000, noise_multiplier=2.0, epsilon=8.0)
    assert slack.epsilon == pytest.approx(2 * 1.4e9 * 5e-16)
    assert slack.delta == pytest.approx((1 + np.exp(8)) * 1.4e9 * 2e-24, rel=1e-5)
    assert slack.epsilon < 2e-6
    assert slack.delta < 1e-11
    assert slack.rounding < 3e-8
