"""What selections need of a data set is checked in one line that names the key."""

from pathlib import Path

import pytest

from gradval.data.needs import Need, check_needs, check_prepared
from gradval.runtime.files import write_json
from gradval.study.experiments import Comparison, Experiments, Figure, Side
from gradval.study.needs import needs_of

COUNTS = {"cat": 30, "bird": 12, "dog": 20}


def test_enough_images_of_known_classes_pass() -> None:
    check_needs("mine", COUNTS, [Need("a", 12, "bird"), Need("b", 62), Need("c", 30, "cat")])


@pytest.mark.parametrize(
    ("need", "message"),
    [
        (
            Need("comparison x", 13, "bird"),
            "selection.k: 13 images of class 'bird' are selected for comparison x, but data set "
            "mine has 12 for training; set it to 12 or less",
        ),
        (
            Need("figure y", 63),
            "selection.k: 63 images are selected for figure y, but data set mine has 62 for "
            "training; set it to 62 or less",
        ),
        (
            Need("figure y", 1, "birds"),
            "figure y: data set mine has no class 'birds'; did you mean 'bird'? Its classes are "
            "cat, bird, dog",
        ),
        (
            Need("figure y", 1, "9"),
            "figure y: data set mine has no class '9'. Its classes are cat, bird, dog",
        ),
    ],
)
def test_what_is_missing_is_named(need: Need, message: str) -> None:
    with pytest.raises(ValueError) as error:
        check_needs("mine", COUNTS, [Need("a", 1), need])
    assert str(error.value) == message


def test_a_prepared_data_set_is_checked_by_what_it_states(tmp_path: Path) -> None:
    folder, needs = tmp_path / "mine", [Need("x", 13, "bird")]
    check_prepared(folder, needs)
    write_json(folder / "dataset.json", {"name": "mine"})
    check_prepared(folder, needs)
    write_json(folder / "dataset.json", {"images_by_class": {"train": COUNTS, "test": {}}})
    with pytest.raises(ValueError, match="data set mine has 12 for training"):
        check_prepared(folder, needs)
    check_prepared(folder, [Need("x", 12, "bird")])


def test_comparisons_and_figures_of_a_data_set_ask() -> None:
    side = Side("resnet9", "eps1", "vog")
    a = Comparison("a", "mine", side, side, class_name="2", substitutes={"bird": "2"})
    b = Comparison("b", "mine", side, side)
    other = Comparison("c", "other", side, side)
    figures = {
        "d": Figure("d", "extremes", "", dataset="mine", class_name="cat"),
        "e": Figure("e", "distribution", "", dataset="mine"),
    }
    run = Experiments({c.name: c for c in (a, b, other)}, figures)
    assert needs_of(run, 25, "mine") == [
        Need("comparison a (substitutes.classes.bird)", 25, "2"),
        Need("comparison b", 25),
        Need("figure d", 25, "cat"),
    ]
