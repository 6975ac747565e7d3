"""Config resolution: recipes, parts and stand-ins, and errors that name the key."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from gradval.study import checks as study_checks
from gradval.study import experiments as study

ROOT = Path(__file__).parents[3]
CLASSES = {"digits": tuple(map(str, range(10)))}
SCORES = ("loss", "grad_norm", "vog", "plis")


@pytest.fixture
def config():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def check(config):
    study_checks.check(config, known_classes=CLASSES)


def test_default_config_runs_every_figure_and_comparison(config):
    check(config)
    assert set(study.comparisons(config)) == set(config["comparisons"])
    assert [f"figure{i}" for i in range(1, 11)] == list(config["figures"])
    assert all(study.figure_is_run(config, name) for name in config["figures"])
    assert len(study.settings(config)) == 8 and len(study.pruning_settings(config)) == 3


def test_recipes_that_contradict_themselves_are_named(config):
    config["training"]["eps4"] = {"multiplicity": 4}
    where = "training of resnet9 on digits, eps4: multiplicity is 4"
    with pytest.raises(study.ConfigError, match=where):
        check(config)
    config["training"]["eps4"]["augmentation"] = "flip"
    check(config)
    config["scores"]["free"] = True
    with pytest.raises(study.ConfigError, match=r"eps4: free scores \(scores.free\)"):
        check(config)


def test_every_comparison_that_the_claims_need_is_defined(config):
    for claim in study.read_claims(ROOT / "workflow/claims.csv"):
        if claim["kind"] in study.COMPARISON_KINDS:
            assert set(claim["source"].split("|")) <= set(config["comparisons"]), claim["id"]


def test_recipe_blocks_win_from_general_to_special(config):
    config["training"] = {
        "default": {"epochs": 1, "momentum": 1, "batch_size": 1},
        "private": {"momentum": 2, "batch_size": 2},
        "nonprivate": {"momentum": 3},
        "eps1": {"batch_size": 4},
    }
    assert study.recipe(config, "digits", "resnet9", "eps1") == {
        "epochs": 1,
        "momentum": 2,
        "batch_size": 4,
    }
    assert study.recipe(config, "digits", "resnet9", "nonprivate")["momentum"] == 3
    config["datasets"]["digits"]["training"] = {"private": {"batch_size": 5}}
    assert study.recipe(config, "digits", "resnet9", "eps1")["batch_size"] == 5
    config["models"]["resnet9"]["training"] = {"default": {"batch_size": 6}}
    assert study.recipe(config, "digits", "resnet9", "eps1")["batch_size"] == 6
    assert study.recipe(config, "digits", "resnet18", "eps1")["batch_size"] == 5


def test_parts_are_cast(config):
    fig2 = study.comparison(config, "fig2")
    assert fig2.a == study.Side(study.Setting("digits", "resnet9", "eps4"), "vog")
    assert fig2.b.setting.model == "resnet18" and fig2.class_name == "2" and fig2.largest
    assert fig2.stand_ins == {
        "cifar10": "digits",
        "wideresnet50": "resnet9",
        "resnet101": "resnet18",
        "bird": "2",
    }
    assert study.stand_in_text(fig2.stand_ins).startswith("digits for cifar10; resnet9 for wide")
    assert study.figure_stand_ins(config, "figure1") == {"pppd": "digits"}


def test_a_part_that_nobody_plays_is_not_run(config):
    config["stand_ins"]["pppd"] = None
    check(config)
    assert study.comparison(config, "fig5") is None and "fig7" not in study.comparisons(config)
    assert not study.figure_is_run(config, "figure1") and study.figure_is_run(config, "figure6")
    config["grid"]["privacy"].remove("eps8")
    config["pruning"]["privacy"].remove("eps8")
    assert study.comparison(config, "fig6") is None


def test_actors_of_claims(config):
    claims = study.read_claims(ROOT / "workflow/claims.csv")
    actors = study.actors(config, claims)
    assert actors["fig6"] == {
        "dataset": "digits",
        "model_a": "resnet18",
        "model_b": "resnet18",
        "privacy_a": "eps1",
        "privacy_b": "eps8",
        "stand_in": "digits for cifar10; 0 for airplane",
    }
    assert actors["pppd-accuracy-gap"]["dataset"] == "digits"
    assert actors["table1-vog-4"]["stand_in"] == "digits for cifar10"
    assert "dataset" not in actors["score-overhead"]
    config["stand_ins"]["pppd"] = None
    assert study.actors(config, claims)["pppd-accuracy-gap"] is None


def test_releases_take_a_share_of_the_levels_epsilon(config):
    assert study.release_epsilon(config, "eps4") == 1
    assert study.release_epsilon(config, "nonprivate") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pruning": {"scope": "class"}}, "pruning.scope: must be global with a released"),
        ({"pruning": {"privacy": ["nonprivate", "eps4"]}}, "pruning.privacy: nonprivate cannot be"),
        ({"release": {"bounds": {"loss": [0, 3]}}}, "release.bounds: grad_norm is missing"),
    ],
)
def test_what_a_released_selection_may_not_be(config, change, message):
    for block, keys in change.items():
        config[block] |= keys
    if "bounds" not in str(change):
        check(config)  # a raw selection may
    config["pruning"]["selection"] = ["released"]
    with pytest.raises(study.ConfigError, match=message):
        check(config)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("grid.models", ["vgg"], "grid.models: 'vgg' is not known; allowed are resnet9, resnet18"),
        ("comparisons.fig6.a.score", "shapley", "comparisons.fig6.a.score: 'shapley' is not known"),
        (
            "stand_ins.bird",
            "11",
            "stand_ins.bird: data set digits has no class '11'; allowed are 0",
        ),
        ("comparisons.fig2.class", "emu", "comparisons.fig2.class: data set digits has no class"),
        ("stand_ins.cifar10", "mnist", "stand_ins.cifar10: 'mnist' is not one of datasets: digits"),
        ("pruning.privacy", ["eps2"], "pruning.privacy: 'eps2' is not known; allowed are nonpr"),
        ("pruning.model", "vgg", "pruning.model: 'vgg' is neither one of models"),
        ("figures.figure6.comparison", "fig66", "figures.figure6.comparison: 'fig66' is not known"),
        ("figures.figure1.score", "x", "figures.figure1.score: 'x' is not known; allowed are loss"),
        ("release.bounds.vog", [1, 1], "release.bounds.vog: 1 must be below 1"),
        ("release.bounds.shap", [0, 1], "release.bounds: 'shap' is not known; allowed are loss"),
        ("training.epsX", {}, "training: unknown key 'epsX'; allowed are default, nonprivate"),
    ],
)
def test_names_that_refer_to_nothing(config, path, value, message):
    changed = deepcopy(config)
    *folders, key = path.split(".")
    block = changed
    for folder in folders:
        block = block[folder]
    block[key] = value
    with pytest.raises(study.ConfigError) as error:
        check(changed)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("block", "values", "message"),
    [
        (
            "models",
            {"resnet9": {"architecture": "resnet10", "width": 8, "groups": 4}},
            r"models.resnet9.architecture: unknown architecture 'resnet10'; did you mean 'resnet1",
        ),
        ("scores", {"names": ["loss", "vogue"]}, "scores.names: unknown score 'vogue'; did you me"),
        ("scores", {"names": ["vog", "my.vog"]}, "scores.names: scores 'vog' and 'my.vog' have th"),
        ("scores", {"options": {"vog": {"target": "x"}}}, "scores.options.vog.target: 'x' is not "),
        ("scores", {"options": {"plis": {"sigma": 1}}}, "scores.options.plis.sigma: unknown optio"),
        ("scores", {"options": {"vogue": {}}}, "scores.options: 'vogue' is not known; allowed are"),
        ("pruning", {"scores": ["el2n"]}, "pruning.scores: 'el2n' is not known; allowed are loss"),
    ],
)
def test_scores_and_architectures_exist_and_have_their_options(config, block, values, message):
    config[block] |= values
    with pytest.raises(study.ConfigError, match=message) as caught:
        check(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("chosen", "source", "secret"),
    [
        ("auto", "digits", False),
        ("auto", "cifar10", False),
        ("auto", "cinic10", False),
        ("auto", "pppd", True),
        ("auto", "folder", True),
        ("auto", "a source of tomorrow", True),
        (True, "digits", True),
        (False, "folder", False),
    ],
)
def test_noise_is_seeded_for_public_sources_alone_unless_asked_for(config, chosen, source, secret):
    config["privacy"]["secret_noise"] = chosen
    config["datasets"]["digits"]["source"] = source
    assert study.secret_noise(config, "digits") is secret


def test_by_default_noise_is_as_the_source_asks(config):
    assert config["privacy"]["secret_noise"] == "auto"


def test_seeded_noise_is_to_be_named_if_a_private_run_of_the_grid_has_it(config):
    assert study.seeds_noise(config)
    config["privacy"]["secret_noise"] = True
    assert not study.seeds_noise(config)
    config["privacy"]["secret_noise"] = False
    config["grid"]["privacy"] = ["nonprivate"]
    assert not study.seeds_noise(config)
