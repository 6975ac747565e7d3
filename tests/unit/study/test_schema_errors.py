"""Violations of the config's schema in one line."""

from copy import deepcopy
from pathlib import Path

import jsonschema
import pytest
import yaml

from gradval.study.config_errors import explain

ROOT = Path(__file__).parents[3]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
IMAGES = {
    "source": "folder",
    "path": "images",
    "image_size": 8,
    "channels": 1,
    "mean": [0.5],
    "std": [0.25],
    "delta": 1e-4,
}


def explanation(path, value):
    config = deepcopy(CONFIG)
    *folders, key = path.split(".")
    block = config
    for folder in folders:
        block = block[folder]
    block[key] = value
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return explain(next(validator.iter_errors(config)))


def test_the_default_config_is_valid():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(CONFIG)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (
            "sede",
            1,
            "top level: unknown key 'sede'; allowed are audit, comparisons, cost, datasets",
        ),
        ("training.default.lr", 1.0, "training.default: unknown key 'lr'; allowed are augment"),
        (
            "datasets.digits.delta",
            "1e-4",
            "datasets.digits.delta: '1e-4' is text, but must be a number; YAML reads 1e-4 as text, "
            "write 1.0e-4",
        ),
        ("grid.seeds", 3, "grid.seeds: 3 is a number, but must be a list"),
        ("training.default.epochs", 0, "training.default.epochs: must be above 0, but is 0"),
        ("pruning.fraction", 1.5, "pruning.fraction: must be below 1, but is 1.5"),
        ("training.default.batch_size", 2.5, "training.default.batch_size: 2.5 is a number, but"),
        (
            "models.resnet9.architecture",
            9,
            "models.resnet9.architecture: 9 is a number, but",
        ),
        ("grid.privacy", ["eps0"], "grid.privacy.0: 'eps0' is not allowed; use nonprivate, or eps"),
        ("grid.seeds", [1, 1], "grid.seeds: lists something twice"),
        ("grid.seeds", [], "grid.seeds: needs at least 1 entry"),
        (
            "stand_ins.bird",
            2,
            "stand_ins.bird: 2 is a number, but must be text or null; write it in quotes: '2'",
        ),
        ("privacy", {}, "privacy: the key 'accountants' is missing"),
        (
            "datasets.mine",
            {"source": "folder", "path": "x", "image_size": 8, "channels": 2},
            "datasets.mine: the key 'mean' is missing",
        ),
        (
            "datasets.mine",
            IMAGES | {"test_fraction": 0.2},
            "datasets.mine: with 'test_fraction' the key 'split_seed' is needed too",
        ),
        (
            "datasets.mine",
            IMAGES | {"channels": 2},
            "datasets.mine.channels: 2 is not allowed; use one of 1 or 3",
        ),
        (
            "datasets.mine",
            IMAGES | {"colour": 1},
            "datasets.mine: unknown key 'colour'; allowed are channels, delta, image_size",
        ),
        (
            "scores.batch_size",
            "most",
            "scores.batch_size: 'most' is not allowed; use auto, or a whole number above 0",
        ),
        ("scores.batch_size", 0, "scores.batch_size: must be at least 1, but is 0"),
        ("training.private", None, "training.private: None is empty, but must be a block of keys"),
    ],
)
def test_one_line_names_the_key_and_what_is_allowed(path, value, expected):
    text = explanation(path, value)
    assert text.startswith(expected) and "\n" not in text
