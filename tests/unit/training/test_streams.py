"""Random streams: seeded ones repeat, secret ones never do, and both are resumed exactly."""

import shutil

import numpy as np
import pytest
import torch
from test_training import OPTIONS, assert_same, run_until, trainer

from gradval.data.store import Split, Store
from gradval.privacy.events import read_events
from gradval.privacy.plan import PhasePlan
from gradval.training.recipe import Recipe
from gradval.training.run import RunFiles, train_run
from gradval.training.streams import Streams

CPU = torch.device("cpu")
VARIED = {"augmentation": "flip-crop", "multiplicity": 2}


def draws(streams: Streams) -> dict[str, torch.Tensor]:
    return {name: torch.rand(1000, generator=stream) for name, stream in vars(streams).items()}


@pytest.mark.parametrize("make", [Streams.secret, lambda device: Streams.seeded(7, device)])
def test_streams_of_a_run_are_distinct_and_come_back(make) -> None:
    streams = make(CPU)
    state = streams.state_dict()
    first, second = draws(streams), draws(streams)
    values = [*first.values(), *second.values()]
    assert all(not torch.equal(a, b) for i, a in enumerate(values) for b in values[:i])
    other = Streams.seeded(8, CPU)
    other.load_state_dict(state)
    assert_same(draws(other), first)
    assert_same(draws(other), second)


def test_a_seed_repeats_and_secrets_do_not() -> None:
    assert_same(draws(Streams.seeded(7, CPU)), draws(Streams.seeded(7, CPU)))
    for others in (Streams.seeded(8, CPU), Streams.secret(CPU), Streams.secret(CPU)):
        found, seeded = draws(others), draws(Streams.seeded(7, CPU))
        assert all(not torch.equal(found[name], seeded[name]) for name in seeded)
    a, b = draws(Streams.secret(CPU)), draws(Streams.secret(CPU))
    assert all(not torch.equal(a[name], b[name]) for name in a)


def test_secrets_fill_the_whole_state_of_the_generator(monkeypatch) -> None:
    """The words that the system gives are the Mersenne twister's: NumPy draws the same from them.

    From a seed alone the CPU's generator would have but 2^32 states.
    """
    words = np.random.default_rng(0).integers(0, 2**32, 624, dtype=np.uint32)
    monkeypatch.setattr("os.urandom", lambda n: words.tobytes()[:n])
    found = torch.rand(2000, generator=Streams.secret(CPU).noise)
    twister = np.random.RandomState()
    twister.set_state(("MT19937", words, 624))
    expected = twister.randint(0, 2**32, 2000, dtype=np.uint32)
    np.testing.assert_array_equal((found.double() * 2**24).numpy(), expected % 2**24)


def test_secret_numbers_are_uniform_and_normal() -> None:
    streams = Streams.secret(CPU)
    uniform = torch.rand(100_000, generator=streams.sampling)
    normal = torch.randn(100_000, generator=streams.noise)
    # Six standard errors.
    assert abs(float(uniform.mean()) - 0.5) < 6 * (1 / 12 / 1e5) ** 0.5
    assert abs(float(normal.mean())) < 6 / 1e5**0.5
    assert abs(float(normal.std()) - 1) < 6 / 2e5**0.5


def test_secret_runs_differ_and_each_is_resumed_to_the_bit(tmp_path) -> None:
    path, copy = tmp_path / "resume.pt", tmp_path / "copy"
    phase = PhasePlan(40, 0.4, 6, 1.1)

    def job():
        return trainer(phase, VARIED, secret=True, resume_path=path, fingerprint="x", save_every=0)

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
