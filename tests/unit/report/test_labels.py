"""Names in print, and their order."""

import pytest

from gradval.report import labels
from gradval.study.experiments import CONTROLS

DEFINITION = {
    **{"dataset": "cinic10", "class_name": "bird", "largest": False},
    "a": {"score": "vog", "model": "resnet18", "privacy": "eps1"},
    "b": {"score": "vog", "model": "resnet18", "privacy": "eps8"},
}


def test_names_in_print() -> None:
    assert labels.privacy_label("eps4") == "ε = 4"
    assert labels.privacy_label("eps0.5") == "ε = 0.5"
    assert labels.privacy_label("nonprivate") == "non-private"
    assert labels.model_label("resnext101") == "ResNeXt-101"
    assert labels.model_label("mine") == "mine"
    assert labels.dataset_label("cinic10") == "CINIC-10"
    assert labels.score_label("grad_norm") == "Gradient norm"
    assert labels.score_label("plis_released") == "PLIS, released"
    assert labels.statistic_label("pearson_top_b", ("x", "y")) == "Pearson (top of y)"
    for wrong in ("eps", "eps-1", "4", "epsilon4", "eps4 ", "eps1.", "inf", "eps=4"):
        with pytest.raises(ValueError, match="nonprivate or like eps4"):
            labels.privacy_label(wrong)
    with pytest.raises(ValueError, match="unknown statistic 'ssim'"):
        labels.statistic_label("ssim")


def test_any_name_in_print() -> None:
    names = ("eps8", "eps=8", "nonprivate", "vog_released", "none", "resnet9", "pppd", "my scan")
    printed = ("ε = 8", "ε = 8", "non-private", "VoG, released", "No removal", "ResNet-9", "PPPD")
    assert [labels.any_label(name) for name in names] == [*printed, "my scan"]
    text = labels.substitutes_label("digits for cifar10; resnet9 for resnext101; 2 for bird")
    assert text == "digits for CIFAR-10; ResNet-9 for ResNeXt-101; 2 for bird"


def test_non_private_comes_first_then_epsilon_by_value() -> None:
    levels = ["eps10", "eps8", "eps0.5", "nonprivate", "eps1", "eps8"]
    assert labels.privacy_order(levels) == ["nonprivate", "eps0.5", "eps1", "eps8", "eps10"]


def test_scores_keep_the_order_of_the_paper() -> None:
    names = ["none", "zeta", "vog_released", "plis", "loss", "random", "vog"]
    order = ["loss", "vog", "plis", "vog_released", "zeta", "random", "none"]
    assert labels.score_order(names) == order
    assert labels.score_order(["none", "zeta", "vog", "random"])[-2:] == list(CONTROLS)[:2]


def test_comparisons_in_words() -> None:
    words = "VoG, ResNet-18, ε = 1 against ε = 8, CINIC-10, class bird, smallest"
    assert labels.comparison_label(DEFINITION) == words
    assert labels.comparison_label(DEFINITION, "25 smallest") == words.replace(
        "smallest", "25 smallest"
    )
    other = {**DEFINITION, "class_name": None, "b": {**DEFINITION["b"], "score": "plis"}}
    words = "VoG against PLIS, ResNet-18, ε = 1 against ε = 8, CINIC-10, smallest"
    assert labels.comparison_label(other) == words


def test_comparisons_are_told_apart_by_what_differs() -> None:
    weak = {**DEFINITION, "a": {**DEFINITION["a"], "privacy": "eps4"}}
    definitions = {"strict": DEFINITION, "weak": weak}
    assert labels.labels_apart(["strict", "weak", "vog"], definitions) == {
        "strict": "ε = 1 against ε = 8",
        "weak": "ε = 4 against ε = 8",
        "vog": "VoG",
    }
    alone = labels.labels_apart(["strict"], definitions)
    assert alone == {"strict": labels.comparison_label(DEFINITION)}


def test_figures_sort_by_number() -> None:
    printed = [labels.figure_label(f"figure{number}") for number in (1, 2, 9, 10, 11)]
    assert printed == sorted(printed) and printed[-1] == "Figure 11"
    assert printed[1].split() == ["Figure", "2"]
    assert labels.figure_label("my figure") == "my figure"
