"""Names in print beyond those of `gradval.study.names`."""

from dataclasses import replace

import pytest

from gradval.report import labels
from gradval.study.experiments import Comparison, Side

COMPARISON = Comparison(
    "fig8",
    "cinic10",
    Side("resnet18", "eps1", "vog"),
    Side("resnet18", "eps8", "vog"),
    end="smallest",
    class_name="bird",
)


def test_statistics_in_print() -> None:
    assert labels.statistic_label("pearson_top_b", ("x", "y")) == "Pearson (top of y)"
    with pytest.raises(ValueError, match="unknown statistic 'ssim'"):
        labels.statistic_label("ssim")


def test_any_name_in_print() -> None:
    names = ("eps8", "eps=8", "non-private", "vog_released", "none", "resnet9", "pppd", "my scan")
    printed = ("ε = 8", "ε = 8", "non-private", "VoG, released", "No removal", "ResNet-9", "PPPD")
    assert [labels.any_label(name) for name in names] == [*printed, "my scan"]
    text = labels.substitutes_label("digits for cifar10; resnet9 for resnext101; 2 for bird")
    assert text == "digits for CIFAR-10; ResNet-9 for ResNeXt-101; 2 for bird"


def test_comparisons_in_words() -> None:
    words = "VoG, ResNet-18, ε = 1 against ε = 8, CINIC-10, class bird, smallest"
    assert labels.comparison_label(COMPARISON) == words
    assert labels.comparison_label(COMPARISON, "25 smallest") == words.replace(
        "smallest", "25 smallest"
    )
    other = replace(COMPARISON, class_name=None, b=replace(COMPARISON.b, score="plis"))
    words = "VoG against PLIS, ResNet-18, ε = 1 against ε = 8, CINIC-10, smallest"
    assert labels.comparison_label(other) == words


def test_comparisons_are_told_apart_by_what_differs() -> None:
    weak = replace(COMPARISON, a=replace(COMPARISON.a, privacy="eps4"))
    comparisons = {"strict": COMPARISON, "weak": weak}
    assert labels.labels_apart(["strict", "weak", "vog"], comparisons) == {
        "strict": "ε = 1 against ε = 8",
        "weak": "ε = 4 against ε = 8",
        "vog": "VoG",
    }
    alone = labels.labels_apart(["strict"], comparisons)
    assert alone == {"strict": labels.comparison_label(COMPARISON)}


def test_figures_sort_by_number() -> None:
    printed = [labels.figure_label(f"figure{number}") for number in (1, 2, 9, 10, 11)]
    assert printed == sorted(printed) and printed[-1] == "Figure 11"
    assert printed[1].split() == ["Figure", "2"]
    assert labels.figure_label("my figure") == "my figure"
