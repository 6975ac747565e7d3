"""Runs share random numbers if they are the same run, and never otherwise."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_training import OPTIONS

from gradval.data.images import NormalisedImages
from gradval.data.store import Split, Store
from gradval.privacy.plan import PhasePlan
from gradval.training.fingerprints import stream_fingerprint
from gradval.training.loop import TrainingData
from gradval.training.recipe import Recipe
from gradval.training.run import RunFiles, train_run

MODEL = {"architecture": "resnet9", "width": 4, "groups": 2}
PHASE = PhasePlan(40, 0.4, 9, 1.1)


def images(n: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 1, 8, 8), dtype=np.uint8)


def store_of(pixels: np.ndarray, labels: np.ndarray, test: int = 10) -> Store:
    split = Split(pixels, labels, [str(i) for i in range(len(labels))])
    return Store("noise", ("a", "b", "c"), (0.5,), (0.3,), split, split.subset(np.arange(test)), {})


def fingerprint(store=None, *, recipe=None, phase=PHASE, model=MODEL, start=None, kept=None) -> str:
    store = store or store_of(images(), np.arange(40) % 3)
    train = store.train if kept is None else store.train.subset(kept)
    data = TrainingData(
        NormalisedImages(train.images, store.mean, store.std),
        torch.from_numpy(train.labels),
        NormalisedImages(store.test.images, store.mean, store.std),
        torch.from_numpy(store.test.labels),
    )
    recipe = Recipe.from_config(OPTIONS | (recipe or {}))
    return stream_fingerprint(store, data, recipe, phase, model=model, initial_weights=start)


def one_pixel() -> Store:
    pixels = images()
    pixels[7, 0, 3, 3] ^= 1
    return store_of(pixels, np.arange(40) % 3)


def one_label() -> Store:
    labels = np.arange(40) % 3
    labels[7] = (labels[7] + 1) % 3
    return store_of(images(), labels)


def other_constants() -> Store:
    return replace(store_of(images(), np.arange(40) % 3), mean=(0.49,))


DIFFERENT = {
    "a pixel": lambda: fingerprint(one_pixel()),
    "a label": lambda: fingerprint(one_label()),
    "one sample less": lambda: fingerprint(kept=np.delete(np.arange(40), 7)),
    "another order": lambda: fingerprint(kept=np.roll(np.arange(40), 1)),
    "constants": lambda: fingerprint(other_constants()),
    "rate": lambda: fingerprint(phase=replace(PHASE, sampling_rate=0.41)),
    "noise": lambda: fingerprint(phase=replace(PHASE, noise_multiplier=1.2)),
    "steps": lambda: fingerprint(phase=replace(PHASE, steps=10)),
    "learning rate": lambda: fingerprint(recipe={"learning_rate": 0.1}),
    "clipping norm": lambda: fingerprint(recipe={"clipping_norm": 0.8}),
    "model": lambda: fingerprint(model=MODEL | {"width": 8}),
    "first phase": lambda: fingerprint(start="0" * 64),
}
SAME = {
    "nothing": lambda: fingerprint(),
    "way of clipping": lambda: fingerprint(recipe={"clipping": "hooks"}),
    "physical batch": lambda: fingerprint(recipe={"physical_batch_size": 8}),
    "test split": lambda: fingerprint(store_of(images(), np.arange(40) % 3, test=11)),
}


def test_whatever_changes_the_steps_changes_the_fingerprint() -> None:
    found = {name: make() for name, make in DIFFERENT.items()}
    assert len({fingerprint(), *found.values()}) == len(found) + 1, found


@pytest.mark.parametrize("change", SAME)
def test_what_does_not_leaves_it(change) -> None:
    assert SAME[change]() == fingerprint()


def weights(folder, store: Store, **options) -> torch.Tensor:
    folder.mkdir()
    result = train_run(
        store,
        model_options=MODEL,
        recipe=Recipe.from_config(OPTIONS),
        phase=PhasePlan(len(store.train), 0.4, 4, 5.0),
        seed=0,
        stream="test",
        files=RunFiles.in_folder(folder),
        progress=False,
        **options,
    )
    return torch.cat([w.flatten() for w in result.weights.values()])


def test_noise_does_not_cancel_between_models_of_related_data(tmp_path) -> None:
    """Two models whose data differ in one label are as far apart as two of independent noise."""
    store = store_of(images(), np.arange(40) % 3)
    base = weights(tmp_path / "base", store)
    again = weights(tmp_path / "again", store)
    independent = weights(tmp_path / "draw", store, draw=1)
    neighbour = weights(tmp_path / "neighbour", one_label())
    fewer = weights(tmp_path / "fewer", store_of(images()[1:], (np.arange(40) % 3)[1:]))
    assert torch.equal(base, again)
    apart = float((base - independent).norm())
    for other in (neighbour, fewer):
        assert 0.9 < float((base - other).norm()) / apart < 1.1
        # Nor does any share of the noise remain: what moved them is uncorrelated.
        moves = torch.stack([base - independent, other - independent])
        assert 0.4 < float(torch.corrcoef(moves)[0, 1]) < 0.6
