"""Names: what they mean, in which order they stand, and how they read."""

import pytest

from gradval.study import names


@pytest.mark.parametrize(
    ("privacy", "epsilon", "label", "block"),
    [
        ("nonprivate", None, "non-private", "nonprivate"),
        ("eps1", 1, "ε = 1", "private"),
        ("eps0.5", 0.5, "ε = 0.5", "private"),
        ("eps10", 10, "ε = 10", "private"),
    ],
)
def test_privacy_levels(privacy, epsilon, label, block):
    assert names.epsilon_of(privacy) == epsilon
    assert names.is_private(privacy) == (epsilon is not None)
    assert names.privacy_label(privacy) == label
    assert names.recipe_blocks(privacy) == ("default", block, privacy)


@pytest.mark.parametrize(
    "privacy", ["eps0", "eps-1", "eps", "eps1e3", "private", "eps0.0", "eps=1"]
)
def test_what_is_no_privacy_level_is_named(privacy):
    for ask in (names.epsilon_of, names.privacy_label, lambda level: names.privacy_order([level])):
        with pytest.raises(
            ValueError, match=f"^'{privacy}' is not allowed; use nonprivate, or eps"
        ):
            ask(privacy)


def test_nonprivate_comes_first_and_then_epsilon_by_value():
    levels = ["eps8", "eps10", "nonprivate", "eps0.5", "eps8"]
    assert names.privacy_order(levels) == ["nonprivate", "eps0.5", "eps8", "eps10"]


def test_privacy_levels_as_the_paper_prints_them():
    assert names.privacy_from_print("eps=4") == "eps4"
    assert names.privacy_from_print("non-private") == "nonprivate"
    with pytest.raises(ValueError, match="is not allowed"):
        names.privacy_from_print("each")


def test_removals_are_by_raw_and_by_released_scores():
    assert names.removals(names.SCORES, ["raw"]) == (*names.SCORES, "random", "none")
    found = names.removals(["loss", "vog"], ["raw", "released"])
    assert found == ("loss", "vog", "loss_released", "vog_released", "random", "none")
    assert names.score_of("vog_released") == ("vog", True)
    assert names.score_of("random") == ("random", False)


def test_scores_stand_in_the_papers_order_then_others_then_controls():
    given = ["none", "zebra", "plis_released", "random", "contrast", "plis", "loss", "el2n", "loss"]
    expected = ["loss", "plis", "plis_released", "el2n", "zebra", "contrast", "random", "none"]
    assert names.score_order(given) == expected


def test_words():
    assert names.score_label("grad_norm") == "Gradient norm" and names.score_label("own") == "own"
    assert names.score_label("el2n") == "EL2N"
    assert names.score_label("vog_released") == "VoG, released"
    assert names.model_label("resnext101") == "ResNeXt-101" and names.model_label("mine") == "mine"
    assert names.dataset_label("cinic10") == "CINIC-10"


def test_run_key_is_read_from_the_path():
    key = {"dataset": "digits", "model": "resnet9", "privacy": "eps4", "seed": 3, "draw": 1}
    assert names.run_key("results/digits/resnet9/eps4/seed3/draw1/full/summary.json") == key


def test_streams_are_named_after_the_run_without_its_draw():
    """Results that were published were drawn under these names."""
    assert (
        names.stream_name("digits", "resnet9", "eps4", "3", "full") == "digits/resnet9/eps4/3/full"
    )
