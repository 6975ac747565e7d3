"""Scores of groups: means over their samples."""

import pandas as pd
import pytest

from gradval.scores.groups import group_scores

SCORES = pd.DataFrame({"index": range(4), "id": list("abcd"), "label": 0, "vog": [1.0, 2, 3, 6]})


def test_a_group_has_the_mean_of_its_images():
    table = group_scores(SCORES, ["q", "p", "q", "p"])
    assert table.to_dict("list") == {
        "index": [0, 1],
        "group": ["p", "q"],
        "images": [2, 2],
        "vog": [4.0, 2.0],
    }


def test_groups_of_other_samples_are_refused():
    with pytest.raises(ValueError, match="scores of 4 samples, but groups of 3"):
        group_scores(SCORES, ["p"] * 3)
