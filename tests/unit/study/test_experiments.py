"""Recipes, settings, and the paper's experiments in the names of a config."""

import pytest
from study.configs import OVERLAYS, ROOT, changed, load_config

from gradval.study import experiments
from gradval.study.arms import arms, dose_name
from gradval.study.checks import check_paper
from gradval.study.config import validate
from gradval.study.config_errors import ConfigError
from gradval.study.experiments import Comparison, Figure, Side
from gradval.study.names import Setting
from gradval.study.paper import read_paper, run_settings, table1_substitutes

PAPER = read_paper(ROOT / "paper")
SUBSTITUTES = {
    "cifar10": "digits",
    "wideresnet50": "resnet9",
    "resnet101": "resnet18",
    "bird": "2",
}


@pytest.fixture
def study():
    return validate(load_config())


def test_arms_of_doses_are_named_once_and_have_their_controls():
    found = arms(["loss", "vog"], ["largest", "lowest"], ["class", "global"])
    assert len({arm.name for arm in found}) == len(found) == 2 * 2 * 2 + 2
    assert [arm.name for arm in found[-2:]] == ["random_class", "random_global"]
    assert found[0].name == "loss_largest_class"
    assert [dose_name(share) for share in (0.05, 0.125, 0.3)] == ["5", "12.5", "30"]


def test_doses_are_of_the_pruned_model_at_their_own_levels(study):
    assert experiments.dosed_settings(study) == []
    config = changed("pruning.doses", {"privacy": ["nonprivate", "eps8"]})
    found = experiments.dosed_settings(validate(config))
    levels = ("nonprivate", "eps8")
    assert found == [Setting("digits", "resnet18", privacy) for privacy in levels]


def run(study):
    return experiments.experiments_run(study, PAPER)


def recipe(config, model="resnet9", privacy="eps1"):
    return experiments.recipe(validate(config), "digits", model, privacy)


def test_the_default_config_runs_every_figure_and_comparison_of_the_paper(study):
    assert list(run(study).comparisons) == list(PAPER.comparisons)
    assert list(run(study).figures) == [f"figure{i}" for i in range(1, 11)]
    assert len(experiments.settings(study)) == 8
    assert experiments.pruning_settings(study) == [
        Setting("digits", "resnet18", privacy) for privacy in ("eps1", "eps4", "eps8")
    ]
    assert experiments.audited_settings(study) == [
        Setting("digits", "resnet9", privacy) for privacy in ("eps1", "eps4")
    ]


def test_recipe_blocks_win_from_general_to_special():
    config = load_config()
    config["training"]["default"] |= {"epochs": 1, "momentum": 0.1, "batch_size": 1}
    config["training"] |= {
        "private": {"momentum": 0.2, "batch_size": 2},
        "nonprivate": {"momentum": 0.3},
        "eps1": {"batch_size": 4},
    }
    found = recipe(config)
    assert (found["epochs"], found["momentum"], found["batch_size"]) == (1, 0.2, 4)
    assert recipe(config, privacy="nonprivate")["momentum"] == 0.3
    config["datasets"]["digits"]["training"] = {"private": {"batch_size": 5}}
    assert recipe(config)["batch_size"] == 5
    config["models"]["resnet9"]["training"] = {"default": {"batch_size": 6}}
    assert recipe(config)["batch_size"] == 6
    assert recipe(config, "resnet18")["batch_size"] == 5


def test_what_no_block_gives_has_its_default():
    config = load_config()
    for key in ("augmentation", "multiplicity", "clipping_norm"):
        del config["training"]["default"][key]
    found = recipe(config)
    assert found["augmentation"] == "none"
    assert found["multiplicity"] == found["clipping_norm"] == 1


# --- Substitutes ----------------------------------------------------------------------------------


def test_what_the_grid_lacks_is_substituted(study):
    fig2 = run(study).comparisons["fig2"]
    assert (fig2.a, fig2.b) == (Side("resnet9", "eps4", "vog"), Side("resnet18", "eps4", "vog"))
    assert (fig2.dataset, fig2.class_name, fig2.end) == ("digits", "2", "largest")
    assert fig2.substitutes == SUBSTITUTES
    assert fig2.settings == (
        Setting("digits", "resnet9", "eps4"),
        Setting("digits", "resnet18", "eps4"),
    )
    text = experiments.substitutes_text(fig2.substitutes)
    assert (
        text == "digits for cifar10; resnet9 for wideresnet50; resnet18 for resnet101; 2 for bird"
    )
    assert run(study).figures["figure1"].substitutes == {"pppd": "digits"}
    assert run(study).figures["figure2"].substitutes == SUBSTITUTES


def test_what_the_grid_has_itself_is_never_substituted():
    study = validate(load_config("config/paper.yaml"))
    assert study.substitutes.datasets["cifar10"] == "digits"  # of the default study
    found = run(study)
    assert found.comparisons == dict(PAPER.comparisons) and found.figures == dict(PAPER.figures)
    assert table1_substitutes(study, PAPER) == {}


def test_what_nothing_substitutes_is_not_run(study):
    config = changed("substitutes.datasets.pppd", None)
    left = run(validate(config))
    missing = set(PAPER.comparisons) - set(left.comparisons)
    assert missing == {"fig5", "fig5-eps4", "fig7", "xray-eps4-eps8"}
    assert set(PAPER.figures) - set(left.figures) == {"figure1", "figure5", "figure7"}
    config = changed("grid.privacy", ["nonprivate", "eps1", "eps4"])
    config["pruning"]["privacy"] = ["eps1"]
    assert "fig6" not in run(validate(config)).comparisons
    without = changed("substitutes.classes.bird", None)
    assert "fig2" not in run(validate(without)).comparisons
    other = changed("substitutes.models.resnet101", "resnet9")
    other["grid"]["models"] = ["resnet18"]
    other["pruning"]["model"] = "resnet18"
    assert "fig2" not in run(validate(other)).comparisons  # resnet9 is no longer in the grid


@pytest.mark.parametrize(
    ("overlay", "figures"),
    [
        ("config/cifar10-small.yaml", {3, 4, 6, 8, 9, 10}),
        ("config/pppd-small.yaml", {1, 5, 7}),
        ("config/paper.yaml", set(range(1, 11))),
        ("config/recipe-study.yaml", set()),
    ],
)
def test_figures_of_the_overlays(overlay, figures):
    study = validate(load_config(overlay))
    check_paper(study, PAPER)
    assert set(run(study).figures) == {f"figure{i}" for i in figures}


def test_the_overlay_for_ones_own_data_runs_its_own_figures_alone():
    found = run(validate(load_config("config/own-data.yaml")))
    assert list(found.figures) == ["most-and-least-valuable", "all-scores"]
    assert found.comparisons == {} and OVERLAYS
    # Nothing of the paper's is studied, so no scorecard is made.
    assert not experiments.concerns_paper(validate(load_config("config/own-data.yaml")), PAPER)
    assert experiments.concerns_paper(validate(load_config()), PAPER)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (
            "substitutes.models.resnet100",
            "resnet9",
            "substitutes.models: 'resnet100' is not known; did you mean 'resnet101'? allowed are",
        ),
        (
            "substitutes.classes.bird",
            "11",
            "substitutes.classes.bird: data set digits has no class '11'; allowed are 0, 1, 2",
        ),
        (
            "substitutes.classes",
            {"airplane": "0"},
            "substitutes.classes.bird (for the paper's fig2): data set digits has no class 'bird'",
        ),
        (
            "comparisons.fig6",
            {
                "dataset": "digits",
                "a": {"model": "resnet9", "privacy": "eps4", "score": "vog"},
                "b": {"model": "resnet9", "privacy": "eps8", "score": "vog"},
            },
            "comparisons.fig6: the paper's experiments have one of this name; choose another",
        ),
    ],
)
def test_what_a_config_says_of_the_paper_is_checked(path, value, expected):
    with pytest.raises(ConfigError) as error:
        check_paper(validate(changed(path, value)), PAPER)
    assert str(error.value).startswith(expected)


# --- Own experiments ------------------------------------------------------------------------------


def test_own_comparisons_and_figures_are_one_block_each():
    config = load_config()
    config["comparisons"] = {
        "widths": {
            "dataset": "digits",
            "end": "smallest",
            "class": "3",
            "a": {"model": "resnet9", "privacy": "eps4", "score": "plis"},
            "b": {"model": "resnet18", "privacy": "eps8", "score": "plis"},
        }
    }
    config["figures"] = {
        "my-pair": {"kind": "pair", "title": "Two models", "comparison": "widths"},
        "my-agreement": {"kind": "agreement", "title": "Both", "comparisons": ["widths"]},
    }
    found = run(validate(config))
    widths = found.comparisons["widths"]
    assert widths == Comparison(
        "widths",
        "digits",
        Side("resnet9", "eps4", "plis"),
        Side("resnet18", "eps8", "plis"),
        end="smallest",
        class_name="3",
    )
    assert found.figures["my-pair"] == Figure(
        "my-pair", "pair", "Two models", comparisons=(widths,)
    )
    assert found.figures["my-agreement"].comparisons == (widths,)
    assert PAPER.printed(found.figures["my-pair"]) == {}


@pytest.mark.parametrize("record", ["comparisons", "figures"])
def test_records_survive_the_way_to_a_script(study, record):
    for experiment in getattr(run(study), record).values():
        values = experiment.to_dict()
        assert type(experiment).from_dict(values) == experiment
        assert type(experiment).from_dict(values).to_dict() == values


# --- What is run for the claims -------------------------------------------------------------------


def test_what_is_run_for_claims_about_runs(study):
    found = run_settings(study, PAPER)
    assert found["pppd-accuracy-gap"] == {
        "dataset": "digits",
        "model_a": "resnet18",
        "model_b": "resnet18",
        "substitutes": "digits for pppd",
    }
    assert found["table1-vog-4"]["substitutes"] == "digits for cifar10"
    assert "dataset" not in found["score-overhead"]
    assert "resnet9 for wideresnet50" in found["score-overhead"]["substitutes"]
    without = validate(changed("substitutes.datasets.pppd", None))
    assert run_settings(without, PAPER)["pppd-accuracy-gap"] is None


def test_table1_is_the_papers_only_if_its_data_set_and_model_are_pruned(study):
    assert table1_substitutes(study, PAPER) == {"cifar10": "digits"}
    other = validate(changed("pruning.model", "resnet9"))
    assert table1_substitutes(other, PAPER) is None
    assert run_settings(other, PAPER)["table1-vog-4"] is None
    assert run_settings(other, PAPER)["pppd-accuracy-gap"] is not None
    assert table1_substitutes(validate(load_config("config/pppd-small.yaml")), PAPER) is None


def test_the_papers_numbers_stand_beside_figures_of_one_comparison(study):
    figures = run(study).figures
    assert PAPER.printed(figures["figure6"]) == {"ssim_matched": 1.0}
    assert PAPER.printed(figures["figure9"]) == {"ssim_matched": 0.215, "bhattacharyya": 0.886}
    assert PAPER.printed(figures["figure3"]) == {} == PAPER.printed(figures["figure1"])


def test_releases_take_a_share_of_the_levels_epsilon(study):
    assert experiments.release_epsilon(study, "eps4") == 1
    assert experiments.release_epsilon(study, "nonprivate") is None


def with_noise(study, chosen):
    privacy = study.privacy.model_copy(update={"secret_noise": chosen})
    return study.model_copy(update={"privacy": privacy})


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
def test_noise_is_seeded_for_public_sources_alone_unless_asked_for(study, chosen, source, secret):
    study = with_noise(study, chosen)
    study.datasets["digits"] = study.datasets["digits"].model_copy(update={"source": source})
    assert experiments.secret_noise(study, "digits") is secret


def test_by_default_noise_is_as_the_source_asks(study):
    assert study.privacy.secret_noise == "auto"


def test_seeded_noise_is_to_be_named_if_a_private_run_of_the_grid_has_it(study):
    assert experiments.seeds_noise(study)
    assert not experiments.seeds_noise(with_noise(study, True))
    grid = study.grid.model_copy(update={"privacy": ["nonprivate"]})
    assert not experiments.seeds_noise(study.model_copy(update={"grid": grid}))
