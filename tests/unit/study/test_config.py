"""What a config may say, and the one line that says what is wrong with it."""

import datetime
import json
import subprocess
import sys
from dataclasses import fields

import jsonschema
import pytest
import yaml
from snakemake.cli import parse_config
from snakemake.utils import update_config
from study.configs import OVERLAYS, ROOT, changed, load_config

from gradval.study import write_schema
from gradval.study.config import Study, validate
from gradval.study.config_errors import ConfigError, check_repeated_keys
from gradval.study.experiments import settings
from gradval.study.recipes import RecipeBlock
from gradval.training.recipe import Recipe

IMAGES = {
    "source": "folder",
    "path": "images",
    "image_size": 8,
    "channels": 1,
    "mean": [0.5],
    "std": [0.25],
    "delta": 1e-4,
}
RUN_FIGURE = {
    "kind": "extremes",
    "title": "t",
    "dataset": "digits",
    "model": "resnet9",
    "privacy": "eps4",
    "score": "vog",
}
COMPARISON = {
    "dataset": "digits",
    "class": "3",
    "a": {"model": "resnet9", "privacy": "eps4", "score": "vog"},
    "b": {"model": "resnet9", "privacy": "eps8", "score": "vog"},
}


def complaint(config):
    with pytest.raises(ConfigError) as error:
        validate(config)
    text = str(error.value)
    assert "\n" not in text
    return text


# --- What is written from the models --------------------------------------------------------------


def test_schema_and_page_are_what_the_models_give():
    """If this fails: python -m gradval.study.write_schema"""
    assert (ROOT / write_schema.SCHEMA).read_text() == write_schema.json_schema()
    assert (ROOT / write_schema.PAGE).read_text() == write_schema.page()


def test_the_page_has_every_key_of_the_default_config():
    page = write_schema.page()
    for block, keys in load_config().items():
        assert f"\n## {block}\n" in page
        if block not in ("datasets", "models", "training"):
            assert all(f"| `{block}.{key}" in page for key in keys)
    for key in RecipeBlock.model_fields:
        assert f"| `training.<block>.{key}` |" in page


@pytest.mark.parametrize("overlay", [None, *OVERLAYS])
def test_configs_are_valid_for_the_models_and_for_the_schema(overlay):
    config = load_config(overlay)
    validate(config)
    schema = json.loads(write_schema.json_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(config)


def test_every_key_has_a_description():
    def described(schema):
        for definition in schema["$defs"].values():
            for key, value in definition.get("properties", {}).items():
                yield key, "const" in value or bool(value.get("description"))

    assert all(is_described for _, is_described in described(Study.model_json_schema()))


def test_a_recipe_has_the_keys_that_training_reads():
    assert {field.name for field in fields(Recipe)} == set(RecipeBlock.model_fields)


def test_defaults_fill_what_a_config_leaves_out():
    config = load_config()
    for block in ("privacy", "scores", "selection", "release", "cost", "substitutes"):
        del config[block]
    # The federation needs the bounds of releases.
    del config["grid"]["draws"], config["federation"]
    study = validate(config)
    assert study.grid.draws == [0]
    assert study.selection.k == 25 and study.cost.gpus == 1
    assert study.privacy.secret_noise == "auto"
    assert study.comparisons == {} and study.substitutes.datasets == {}
    mine = validate(changed("datasets.mine", IMAGES)).datasets["mine"].options()
    assert mine == IMAGES | {
        "resize": "squash",
        "on_bad_image": "fail",
        "on_duplicate": "fail",
        "subfolders": "fail",
        "transparency": "white",
        "subset_seed": 0,
    }


def test_neither_torch_nor_pandas_is_imported():
    """Snakemake checks config and claims at every start."""
    code = (
        "import sys, yaml; from gradval.study import checks, config, paper; "
        f"study = config.validate(yaml.safe_load(open({str(ROOT / 'config.yaml')!r}))); "
        f"checks.check_paper(study, paper.read_paper({str(ROOT / 'paper')!r})); "
        "assert not {'torch', 'numpy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- What is wrong with a config ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        # Keys that are not known, with the nearest that is.
        ("slection", {}, "top level: unknown key 'slection'; did you mean 'selection'? allowed"),
        (
            "training.default.epoch",
            1.0,
            "training.default: unknown key 'epoch'; did you mean 'epochs'? allowed are augment",
        ),
        ("training.default.lr", 1.0, "training.default: unknown key 'lr'; allowed are augment"),
        ("datasets.digits.means", [0], "datasets.digits: unknown key 'means'; did you mean 'mean'"),
        ("datasets.mine", IMAGES | {"colour": 1}, "datasets.mine: unknown key 'colour'; allowed"),
        ("grid.model", [], "grid: unknown key 'model'; did you mean 'models'? allowed are dat"),
        (
            "training.epsX",
            {},
            "training.epsX: unknown key 'epsX'; allowed are default, nonprivate, private and",
        ),
        # Types.
        ("grid.seeds", 3, "grid.seeds: 3 is a number, but must be a list"),
        ("grid.seeds", [True], "grid.seeds.0: True is true or false, but must be a whole number"),
        ("datasets", [], "datasets: [] is a list, but must be a block of keys"),
        ("datasets.digits", None, "datasets.digits: it is empty, but must be a block of keys"),
        ("grid", None, "grid: it is empty, but must be a block of keys; write {} for an empty one"),
        ("training.private", None, "training.private: it is empty, but must be a block of keys"),
        ("training.default.epochs", None, "training.default.epochs: it is empty, but must be a nu"),
        ("training.default.batch_size", 2.5, "training.default.batch_size: 2.5 is a number, but"),
        ("training.default.epochs", "many", "training.default.epochs: 'many' is text, but must be"),
        ("scores.free", 1, "scores.free: 1 is a number, but must be true or false"),
        ("scores.batch_size", "most", "scores.batch_size: 'most' is not allowed; use auto, or a"),
        # Ranges.
        ("training.default.epochs", 0, "training.default.epochs: must be above 0, but is 0"),
        ("training.default.epochs", float("inf"), "training.default.epochs: must be finite, but"),
        ("pruning.fraction", 1.5, "pruning.fraction: must be below 1, but is 1.5"),
        ("scores.batch_size", 0, "scores.batch_size: must be at least 1, but is 0"),
        ("audit.confidence", 0.2, "audit.confidence: must be at least 0.5, but is 0.2"),
        ("audit.guesses", 3, "audit.guesses: must be a multiple of 2, but is 3"),
        ("grid.seeds", [1, 1], "grid.seeds: lists something twice"),
        ("grid.seeds", [], "grid.seeds: needs at least 1 entry"),
        ("grid.draws", [0, 0], "grid.draws: lists something twice"),
        ("grid.draws", [-1], "grid.draws.0: must be at least 0, but is -1"),
        ("release.bounds.vog", [1], "release.bounds.vog: needs at least 2 entries"),
        ("release.bounds.vog", [1, 1], "release.bounds.vog: 1 must be below 1"),
        ("models.resnet9.architecture", 9, "models.resnet9.architecture: 9 is a number, but must"),
        ("training.default.clipping", "auto", "training.default.clipping: 'auto' is not allowed"),
        ("grid.privacy", ["eps0"], "grid.privacy.0: 'eps0' is not allowed; use nonprivate, or eps"),
        (
            "datasets.mine",
            IMAGES | {"channels": 2},
            "datasets.mine.channels: 2 is not allowed; use",
        ),
        ("datasets.digits.source", "mnist", "datasets.digits.source: 'mnist' is not allowed; use"),
        # Units.
        (
            "datasets.digits.mean",
            [125.3],
            "datasets.digits.mean.0: must be in units of 0 to 1, not 0 to 255, but is 125.3",
        ),
        ("datasets.digits.std", [63.0], "datasets.digits.std.0: must be in units of 0 to 1, not 0"),
        ("datasets.digits.std", [0], "datasets.digits.std.0: must be above 0, but is 0"),
        (
            "datasets.mine",
            IMAGES | {"mean": [0.5, 0.5, 0.5]},
            "datasets.mine: mean has 3 numbers for images of 1 channel; give one a channel",
        ),
        (
            "datasets.mine",
            IMAGES | {"pixel_range": [0]},
            "datasets.mine.pixel_range: needs at",
        ),
        # Text that YAML reads as something else.
        (
            "substitutes.classes.bird",
            2,
            "substitutes.classes.bird: 2 is a number, but must be text; write it in quotes: '2'",
        ),
        (
            "comparisons.mine",
            COMPARISON | {"class": False},
            "comparisons.mine.class: False is true or false, but must be text; YAML reads yes, no, "
            "on and off so; write the word in quotes: 'false', 'no' or 'off'",
        ),
        (
            "comparisons.mine",
            COMPARISON | {"class": datetime.date(2024, 1, 2)},
            "comparisons.mine.class: datetime.date(2024, 1, 2) is a date, but must be text; write "
            "it in quotes: '2024-01-02'",
        ),
        (
            "figures.f",
            RUN_FIGURE | {"title": 7},
            "figures.f.title: 7 is a number, but must be text",
        ),
        (
            "substitutes.classes",
            {True: "2"},
            "substitutes.classes.True: True is true or false, but",
        ),
        # Keys that are missing.
        ("audit", {}, "audit: the key 'dataset' is missing"),
        ("datasets.mine", {"path": "x"}, "datasets.mine: the key 'source' is missing"),
        ("datasets.mine", {"source": "folder"}, "datasets.mine: the key 'mean' is missing"),
        (
            "datasets.mine",
            IMAGES | {"test_fraction": 0.2},
            "datasets.mine: with 'test_fraction' the key 'split_seed' is needed too",
        ),
        ("figures.f", {"title": "t"}, "figures.f: the key 'kind' is missing"),
        (
            "training",
            {},
            "training of resnet9 on digits, nonprivate: epochs is missing; give it in",
        ),
    ],
)
def test_one_line_names_the_key_and_what_is_allowed(path, value, expected):
    assert complaint(changed(path, value)).startswith(expected)


def test_a_slip_in_a_key_is_named_before_the_key_that_it_leaves_missing():
    config = load_config()
    config["grid"]["seed"] = config["grid"].pop("seeds")
    assert complaint(config).startswith("grid: unknown key 'seed'; did you mean 'seeds'?")


@pytest.mark.parametrize(
    ("text", "number"), [("1e-4", 1e-4), ("0.5", 0.5), ("1.0e-4", 1e-4), (" .5 ", 0.5)]
)
def test_numbers_that_are_written_as_text_are_numbers(text, number):
    assert validate(changed("datasets.digits.delta", text)).datasets["digits"].delta == number


def test_whole_numbers_stay_as_they_are_written():
    recipe = validate(load_config()).training["default"]
    assert type(recipe.epochs) is int and type(recipe.learning_rate) is float


def test_numbers_arrive_through_the_command_line():
    """Snakemake hands on whatever stands within a block as text."""
    given = parse_config(
        [
            "release={share: 0.5}",
            "grid={seeds: [3, 4], privacy: [nonprivate]}",
            "pruning={privacy: []}",
            "selection={k: 7}",
            "scores={free: yes, batch_size: 16}",
            "training={default: {epochs: 2, learning_rate: 1e-2}}",
            "datasets={digits: {mean: [0.25]}}",
            "cost={gpus: 0}",
            "substitutes={classes: {bird: 3}}",
        ]
    )
    assert given["grid"]["seeds"] == ["3", "4"]
    config = load_config()
    update_config(config, given)
    study = validate(config)
    assert study.release.share == 0.5 and study.grid.seeds == [3, 4] and study.selection.k == 7
    assert study.scores.free and study.scores.batch_size == 16 and study.cost.gpus == 0
    assert study.training["default"].epochs == 2 and study.training["default"].learning_rate == 0.01
    assert study.datasets["digits"].mean == [0.25] and study.substitutes.classes["bird"] == "3"


# --- Names that refer to nothing, parts that do not fit -------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (
            "grid.models",
            ["resnet19"],
            "grid.models: 'resnet19' is not known; did you mean 'resnet9'?",
        ),
        ("grid.datasets", ["mnist"], "grid.datasets: 'mnist' is not known; allowed are digits"),
        (
            "models.resnet9.architecture",
            "resnet10",
            "models.resnet9.architecture: unknown architecture 'resnet10'; did you mean 'resnet1",
        ),
        (
            "scores.names",
            ["loss", "vogue"],
            "scores.names: unknown score 'vogue'; did you mean 'vo",
        ),
        (
            "scores.names",
            ["vog", "my.vog"],
            "scores.names: scores 'vog' and 'my.vog' have the same",
        ),
        ("scores.options", {"vog": {"target": "x"}}, "scores.options.vog.target: 'x' is not allow"),
        ("scores.options", {"plis": {"sigma": 1}}, "scores.options.plis.sigma: unknown option"),
        ("scores.options", {"vogue": {}}, "scores.options: 'vogue' is not known; did you mean 'vo"),
        ("pruning.scores", ["el2n"], "pruning.scores: 'el2n' is not known; allowed are loss"),
        ("pruning.privacy", ["eps2"], "pruning.privacy: 'eps2' is not known; did you mean 'eps8'?"),
        (
            "pruning.doses",
            {"privacy": ["eps2"]},
            "pruning.doses.privacy: 'eps2' is not known; did you mean 'eps8'?",
        ),
        (
            "pruning.doses",
            {"privacy": ["eps4"], "scores": ["grand"]},
            "pruning.doses.scores: 'grand' is not known; allowed are loss, grad_norm",
        ),
        (
            "datasets.digits.planted",
            {"wrong_labels": 1.5},
            "datasets.digits.planted.wrong_labels: must be below 1, but is 1.5",
        ),
        (
            "scores.options",
            {"el2n": {"checkpoints": "middle"}},
            "scores.options.el2n.checkpoints: 'middle' is not allowed: must be first, early, late,",
        ),
        (
            "pruning.model",
            "vgg",
            "pruning.model: 'vgg' is not known; allowed are resnet9, resnet18",
        ),
        ("audit.model", "vgg", "audit.model: 'vgg' is not known; allowed are resnet9, resnet18"),
        ("audit.dataset", "mnist", "audit.dataset: 'mnist' is not known; allowed are digits"),
        ("audit.privacy", ["eps1", "nonprivate"], "audit.privacy: nonprivate makes no claim; use"),
        ("audit.guesses", 5002, "audit: guesses: 5002 is more than the 5000 of audit.canaries"),
        ("release.bounds.shap", [0, 1], "release.bounds: 'shap' is not known; allowed are loss"),
        (
            "substitutes.models.resnet101",
            "vgg",
            "substitutes.models.resnet101: 'vgg' is not known; allowed are resnet9, resnet18",
        ),
        (
            "comparisons.mine",
            COMPARISON | {"dataset": "cifar10"},
            "comparisons.mine.dataset: 'cifar10' is not known; allowed are digits",
        ),
        (
            "comparisons.mine",
            COMPARISON | {"class": "bird"},
            "comparisons.mine.class: data set digits has no class 'bird'; allowed are 0, 1",
        ),
        (
            "comparisons.mine",
            COMPARISON | {"a": {**COMPARISON["a"], "score": "shap"}},
            "comparisons.mine.a.score: 'shap' is not known; allowed are loss, grad_norm",
        ),
        (
            "figures.mine",
            RUN_FIGURE | {"privacy": "eps2"},
            "figures.mine.privacy: 'eps2' is not known; did you mean 'eps8'? allowed are nonprivat",
        ),
        (
            "figures.mine",
            {"kind": "pair", "title": "t", "comparison": "fig6"},
            "figures.mine: comparison: 'fig6' is not known; allowed are none",
        ),
        ("training.eps4", {"multiplicity": 4}, "training of resnet9 on digits, eps4: multiplicity"),
    ],
)
def test_names_that_refer_to_nothing(path, value, expected):
    assert complaint(changed(path, value)).startswith(expected)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"pruning": {"scope": "class"}}, "pruning.scope: must be global with a released"),
        ({"pruning": {"privacy": ["nonprivate", "eps4"]}}, "pruning.privacy: nonprivate cannot be"),
    ],
)
def test_released_selections_must_depend_on_nothing_else(change, expected):
    config = changed("pruning.selection", ["raw", "released"])
    validate(config)
    update_config(config, change)
    assert complaint(config).startswith(expected)
    del config["release"]["bounds"]["plis"]


def test_a_released_score_needs_bounds():
    config = changed("pruning.selection", ["released"])
    del config["release"]["bounds"]["plis"]
    assert complaint(config).startswith("release.bounds: plis is missing; [low, high], public")


# --- Keys that are given twice --------------------------------------------------------------------


def test_a_key_that_is_given_twice_is_named_with_both_lines(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("grid: {}\nmodels:\n  a:\n    width: 4\n  b: {}\n  a: {}\n")
    with pytest.raises(ConfigError) as error:
        check_repeated_keys(path)
    assert str(error.value) == (
        f"{path}: models.a: given twice, in lines 3 and 6; YAML would keep the second alone"
    )


def test_merge_keys_anchors_and_empty_files_are_fine(tmp_path):
    path = tmp_path / "fine.yaml"
    for text in ("", "# nothing\n", "a: &x {k: 1}\nb: {<<: *x, k: 2}\nc: [{k: 1}, {k: 2}]\n"):
        path.write_text(text)
        check_repeated_keys(path)
    for file in ("config.yaml", "paper/experiments.yaml", *OVERLAYS):
        check_repeated_keys(ROOT / file)
        assert yaml.safe_load((ROOT / file).read_text())


# --- Groups as units, and budgets -----------------------------------------------------------------


def by_group(**changes):
    config = changed("privacy.unit", "group", changed("pruning.privacy", []))
    config["federation"] = None
    update_config(config, changes)
    return config


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"scores": {"free": True}}, "scores.free: collects scores of samples"),
        ({"pruning": {"privacy": ["eps4"]}}, "pruning.privacy: samples are removed (Table 1)"),
        ({"training": {"private": {"clipping": "ghost"}}}, "training of resnet9 on digits, eps1: "),
        ({"privacy": {"images_per_group": 600}}, "training of resnet9 on digits, eps1: physical"),
    ],
)
def test_what_works_by_samples_alone_is_refused_with_groups(changes, expected):
    validate(by_group())
    assert complaint(by_group(**changes)).startswith(expected)


def test_a_federation_is_refused_with_groups():
    config = by_group()
    config["federation"] = load_config()["federation"]
    assert complaint(config).startswith("federation: sites train by samples")


def test_a_budget_counts_everything_or_is_refused():
    config = changed("datasets.digits.budget", 20)
    assert complaint(config).startswith("datasets.digits.budget: a training without privacy")
    config["grid"]["privacy"] = ["eps1", "eps4", "eps8"]
    assert complaint(config).startswith("datasets.digits.budget: does not count what a federation")
    config["federation"] = None
    assert validate(config).datasets["digits"].budget == 20
    # What is spent on a data set is no part of what it is.
    assert "budget" not in validate(config).datasets["digits"].options()


# --- Models that are trained already --------------------------------------------------------------


def adopted(**checkpoints):
    """The default config with a model that is trained already."""
    config = changed("grid.models", ["mine"])
    block = {"files": ["ckpt_*.pt"], "training": "unknown"} | checkpoints
    config["models"]["mine"] = {"architecture": "torchvision:resnet18", "checkpoints": block}
    return changed("grid.seeds", [0], config)


def test_a_model_with_checkpoints_stands_at_one_level_and_has_arguments():
    config = adopted()
    config["models"]["mine"]["arguments"] = {"zero_init_residual": True}
    study = validate(config)
    assert [s.privacy for s in settings(study)] == ["nonprivate"]
    name = study.models["mine"].options()["architecture"]
    assert name == 'gradval.models.adopted:torchvision:resnet18 {"zero_init_residual": true}'
    # What is trained keeps the options that it had, or all of it would be trained again.
    options = {"architecture", "width", "groups", "weight_standardisation"}
    assert set(study.models["resnet9"].options()) == options
    config = adopted(training="private", events="events.json", privacy="eps4")
    assert [s.privacy for s in settings(validate(config))] == ["eps4"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (adopted(training="private"), "events: needed with 'training: private', and only then"),
        (adopted(events="events.json"), "events: needed with 'training: private', and only then"),
        (adopted(privacy="eps4"), "privacy: with 'training: unknown' it is nonprivate"),
        (
            adopted(training="private", events="e.json", privacy="eps16"),
            "models.mine.checkpoints.privacy: 'eps16' is not known",
        ),
        (changed("grid.seeds", [0, 1], adopted()), "models.mine.checkpoints.files: the same for"),
        (changed("pruning.model", "mine", adopted()), "pruning.model: mine has checkpoints of its"),
        (changed("models.cnn.arguments", {"depth": 3}), "arguments: only with 'checkpoints'"),
        (
            changed("scores.plugins", ["nowhere.score"]),
            "scores.plugins: unknown score 'nowhere.score'",
        ),
        (
            changed("scores.plugins", ["vog"]),
            "scores.plugins: scores 'vog' and 'vog' have the same",
        ),
    ],
)
def test_a_model_that_is_trained_already_is_not_trained(config, expected):
    with pytest.raises(ConfigError) as error:
        validate(config)
    assert expected in str(error.value)


def test_runs_of_several_seeds_have_files_of_their_own():
    config = changed("grid.seeds", [0, 1], adopted(files=["run{seed}/ckpt_*.pt"]))
    block = validate(config).models["mine"].checkpoints
    assert block.of_run(1, 0) == ("run1/ckpt_*.pt",)


def test_a_file_beside_the_config_is_its_module(tmp_path, monkeypatch):
    (tmp_path / "shallow.py").write_text("def build(): ...")
    monkeypatch.setenv("GRADVAL_PLUGINS", str(tmp_path))
    study = validate(changed("models.cnn.architecture", "shallow.py:build"))
    assert study.models["cnn"].options()["architecture"] == "shallow:build"
