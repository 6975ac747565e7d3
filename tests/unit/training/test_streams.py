"""Random streams: seeded ones repeat, secret ones never do, and both are resumed exactly."""

import shutil
from functools import partial

import numpy as np
import pytest
import torch
from test_training import OPTIONS, assert_same, run_until, trainer

from gradval.data.store import Split, Store
from gradval.privacy.events import read_events
from gradval.privacy.keystream import KeyStream, derive_key
from gradval.privacy.plan import PhasePlan
from gradval.training.recipe import Recipe
from gradval.training.run import RunFiles, train_run
from gradval.training.streams import Streams, secret_key, seeded_key

CPU = torch.device("cpu")
VARIED = {"augmentation": "flip-crop", "multiplicity": 2}


def draws(streams: Streams) -> dict[str, torch.Tensor]:
    return {
        "sampling": streams.sampling.bernoulli(1000, 0.5),
        "noise": streams.noise.normal(1000),
        "augmentation": torch.rand(1000, generator=streams.augmentation),
    }


def seeded(*, seed=7, draw=0, name="run", fingerprint="data") -> Streams:
    return Streams.of(seeded_key(seed, draw, name, fingerprint), CPU)


def secret() -> Streams:
    return Streams.of(secret_key(), CPU)


@pytest.mark.parametrize("make", [secret, seeded])
def test_streams_of_a_run_are_distinct_and_come_back(make) -> None:
    streams = make()
    state = streams.state_dict()
    first, second = draws(streams), draws(streams)
    assert all(not torch.equal(first[name], second[name]) for name in first)
    words = [streams.sampling.words(1000), streams.noise.stream.words(1000)]
    assert not torch.equal(*words)
    other = seeded(seed=8)
    other.load_state_dict(state)
    assert_same(draws(other), first)
    assert_same(draws(other), second)


OTHERS = ({"seed": 8}, {"draw": 1}, {"name": "audit"}, {"fingerprint": "other data"})


@pytest.mark.parametrize("make", [secret, *(partial(seeded, **other) for other in OTHERS)])
def test_a_seed_repeats_and_whatever_differs_changes_all_streams(make) -> None:
    assert_same(draws(seeded()), draws(seeded()))
    found, base = draws(make()), draws(seeded())
    assert all(not torch.equal(found[name], base[name]) for name in base)
    # Not merely shifted or scaled.
    assert abs(float(torch.corrcoef(torch.stack([found["noise"], base["noise"]]))[0, 1])) < 0.2


def test_secrets_do_not_repeat() -> None:
    a, b = draws(secret()), draws(secret())
    assert all(not torch.equal(a[name], b[name]) for name in a)


def test_a_secret_is_as_long_as_the_key(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr("os.urandom", lambda n: asked.append(n) or bytes(n))
    assert secret_key() == bytes(32)
    assert asked == [32]


def test_the_key_fills_the_whole_state_of_pytorchs_generator() -> None:
    """The stream's words are the Mersenne twister's: NumPy draws the same from them.

    From a seed alone the CPU's generator would have but 2^32 states.
    """
    stream = KeyStream(derive_key(bytes(32), "augmentation"))
    words = (stream.words(624).numpy().view(np.uint64) >> np.uint64(32)).astype(np.uint32)
    found = torch.rand(2000, generator=Streams.of(bytes(32), CPU).augmentation)
    twister = np.random.RandomState()
    twister.set_state(("MT19937", words, 624))
    expected = twister.randint(0, 2**32, 2000, dtype=np.uint32)
    np.testing.assert_array_equal((found.double() * 2**24).numpy(), expected % 2**24)


def test_secret_runs_differ_and_each_is_resumed_to_the_bit(tmp_path) -> None:
    path, copy = tmp_path / "resume.pt", tmp_path / "copy"
    phase = PhasePlan(40, 0.4, 6, 1.1)

    def job():
        return trainer(
            phase, VARIED, key=secret_key(), resume_path=path, fingerprint="x", save_every=0
        )

    with pytest.raises(KeyboardInterrupt):
        run_until(job(), 1)
    shutil.copytree(tmp_path, copy)
    base = job().run()
    # The same beginning again, but interrupted on its way.
    shutil.copytree(copy, tmp_path, dirs_exist_ok=True)
    for stop_at in (2, 5):
        with pytest.raises(KeyboardInterrupt):
            run_until(job(), stop_at)
    result = job().run()
    assert_same(result.weights, base.weights)
    assert result.metrics == base.metrics
    path.unlink()
    other = job().run()
    assert not any(torch.equal(other.weights[n], w) for n, w in base.weights.items())


@pytest.mark.parametrize("secret", [False, True])
def test_the_events_say_where_the_randomness_came_from(tmp_path, secret) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
    split = Split(images, np.arange(40) % 3, [str(i) for i in range(40)])

    def train(folder, secret=secret):
        files = RunFiles.in_folder(folder)
        train_run(
            Store("noise", ("a", "b", "c"), (0.5,), (0.3,), split, split, {}),
            model_options={"architecture": "resnet9", "width": 4, "groups": 2},
            recipe=Recipe.from_config(OPTIONS),
            phase=PhasePlan(40, 0.4, 3, 1.1),
            seed=0,
            stream="test",
            files=files,
            secret_noise=secret,
            progress=False,
        )
        (event,) = read_events(files.events).events
        return files.weights.read_bytes(), event.randomness

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (first, randomness), (second, _) = train(tmp_path / "a"), train(tmp_path / "b")
    assert (first != second) == secret
    assert randomness == ("secret" if secret else "seeded")
    # A state of the one kind is not gone on with as the other.
    again, randomness = train(tmp_path / "a", secret=not secret)
    assert randomness == ("seeded" if secret else "secret")
    assert again not in (first, second)
