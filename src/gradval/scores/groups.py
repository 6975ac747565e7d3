"""Scores of groups of samples, such as all images of a patient."""

from collections.abc import Sequence

import pandas as pd


def group_scores(scores: pd.DataFrame, groups: Sequence[str]) -> pd.DataFrame:
    """One row a group: the mean of each score over its samples.

    Exact, and so as private as the scores of the samples. Those that are released are means of
    clipped scores (`gradval.privacy.statistics.unit_values`).

    Args:
        scores: of one run, a row a sample, as `gradval.scores.files.read_scores` returns them.
        groups: of each sample.

    Returns:
        index, group, images (how many it has) and a column a score; sorted by group.

    Raises:
        ValueError: there are more or fewer groups than scored samples.
    """
    if len(groups) != len(scores):
        raise ValueError(f"scores of {len(scores)} samples, but groups of {len(groups)}")
    values = scores.drop(columns=["index", "id", "label"])
    by_group = values.groupby(pd.Series(list(groups), index=values.index, name="group"), sort=True)
    table = by_group.mean()
    table.insert(0, "images", by_group.size())
    table = table.reset_index()
    table.insert(0, "index", range(len(table)))
    return table
