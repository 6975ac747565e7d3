"""Data sets that a function of the user's own reads."""

import numpy as np
import pytest
from study.configs import changed

from gradval.data.sources import load_source
from gradval.runtime import plugins
from gradval.study.config import validate

BLOCK = {
    "source": "own",
    "loader": "own_images:load",
    "channels": 1,
    "mean": [0.5],
    "std": [0.25],
    "delta": 1e-3,
    "settings": {"samples": 6},
}
MODULE = """
import numpy as np
from gradval.data.store import Split, Store

def load(name, options, scratch):
    def split(count):
        images = np.zeros((count, 1, 8, 8), np.uint8)
        return Split(images, np.arange(count) % 2, [f"{i}.png" for i in range(count)])
    return Store(
        name, ("a", "b"), tuple(options["mean"]), tuple(options["std"]),
        split(options["settings"]["samples"]), split(2), {"source": "own"},
    )

def nothing(name, options, scratch):
    return None
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "own_images.py").write_text(MODULE)
    monkeypatch.setenv(plugins.VARIABLE, str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)


def load(tmp_path, **changes):
    options = validate(changed("datasets.mine", BLOCK | changes)).datasets["mine"].options()
    return load_source("mine", options, tmp_path)


def test_a_function_of_ones_own_gives_the_store(tmp_path):
    store = load(tmp_path)
    assert len(store.train) == 6 and store.classes == ("a", "b")
    np.testing.assert_array_equal(store.train.labels, [0, 1, 0, 1, 0, 1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loader": "own_images:nothing"}, "must return a gradval.data.store.Store"),
        ({"loader": "own_images:missing"}, "has no 'missing'"),
        ({"loader": "no_images:load"}, "there is no module no_images"),
        (
            {"channels": 3, "mean": [0.5] * 3, "std": [0.25] * 3},
            "channels is 3, but the images of own_images:load have 1",
        ),
    ],
)
def test_what_is_wrong_with_it_is_one_line(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(tmp_path, **changes)
    assert str(caught.value).startswith("datasets.mine") and "\n" not in str(caught.value)
