"""The stream of random bits: it repeats, it goes on where it was, and no two are alike."""

import hashlib

import pytest
import torch
from scipy.stats import chisquare

from gradval.privacy.keystream import KeyStream, derive_key

KEY = bytes(range(32))


def test_words_are_those_of_the_hash_function() -> None:
    stream = KeyStream(KEY)
    for number in range(3):
        digest = hashlib.shake_128(KEY + number.to_bytes(8, "little")).digest(80)
        expected = [
            int.from_bytes(digest[i : i + 8], "little", signed=True) for i in range(0, 80, 8)
        ]
        assert stream.words(10).tolist() == expected


def test_a_state_goes_on_with_the_next_words() -> None:
    stream = KeyStream(KEY)
    stream.words(200_000)
    state = stream.get_state()
    expected = stream.words(100_000)
    other = KeyStream(bytes(32))
    other.set_state(state)
    assert torch.equal(other.words(100_000), expected)
    assert not torch.equal(other.words(100_000), expected)


@pytest.mark.parametrize("state", [torch.zeros(39, dtype=torch.uint8), torch.zeros(40)])
def test_another_state_is_refused(state) -> None:
    with pytest.raises(ValueError, match="not the state of a key stream"):
        KeyStream(KEY).set_state(state)


def test_a_key_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 31"):
        KeyStream(KEY[1:])


def test_threads_do_not_change_the_words(monkeypatch) -> None:
    alone = KeyStream(KEY).words(300_001)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert torch.equal(KeyStream(KEY).words(300_001), alone)


def test_nothing_is_nothing() -> None:
    stream = KeyStream(KEY)
    assert stream.words(0).shape == (0,)
    assert stream.bernoulli(0, 0.5).shape == (0,)


def test_every_bit_is_a_fair_coin_of_its_own() -> None:
    words = KeyStream(KEY).words(1 << 16)
    bits = (words[:, None] >> torch.arange(64)) & 1
    # Six standard errors of a share, and of a correlation.
    assert float((bits.double().mean(0) - 0.5).abs().max()) < 6 * 0.5 / 256
    correlation = torch.corrcoef(bits.T.double()) - torch.eye(64)
    assert float(correlation.abs().max()) < 6 / 256
    for shift in range(0, 64, 8):
        counts = ((words >> shift) & 255).bincount(minlength=256)
        assert chisquare(counts.numpy()).pvalue > 1e-6


@pytest.mark.parametrize("rate", [0.0, 1e-4, 0.3, 1.0])
def test_coins_come_up_at_their_rate(rate) -> None:
    count = 1_000_000
    found = int(KeyStream(KEY).bernoulli(count, rate).sum())
    assert abs(found - count * rate) <= 6 * (count * rate * (1 - rate)) ** 0.5


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_is_a_probability(rate) -> None:
    with pytest.raises(ValueError, match="must be in"):
        KeyStream(KEY).bernoulli(1, rate)


def test_a_key_depends_on_every_part_and_where_it_ends() -> None:
    parts = [(), (1,), ("1",), (1, 1), (11,), ("ab", "c"), ("a", "bc"), ("abc",)]
    keys = {derive_key(secret, *names) for secret in (b"", b"s") for names in parts}
    assert len(keys) == 2 * len(parts)
    assert all(len(key) == 32 for key in keys)
    assert derive_key(b"s", "a", 1) == derive_key(b"s", "a", 1)


def test_streams_of_different_keys_are_unrelated() -> None:
    a = KeyStream(derive_key(b"", 7, "noise")).words(100_000)
    b = KeyStream(derive_key(b"", 8, "noise")).words(100_000)
    same = 64 - ((a ^ b)[:, None] >> torch.arange(64) & 1).sum(1).double()
    assert abs(float(same.mean()) - 32) < 6 * 4 / 100_000**0.5
