"""Groups of samples, such as the images of one patient, by name."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def group_of_name(pattern: re.Pattern[str], name: str) -> str | None:
    """The group that the name of a file tells, `None` if the pattern does not match it.

    Args:
        pattern: with one group, searched in the last part of the name.
        name: of a file, with slashes.
    """
    match = pattern.search(name.rsplit("/", 1)[-1])
    return match[1] if match else None


def compile_pattern(text: str) -> re.Pattern[str]:
    r"""The regular expression of `group_pattern`.

    Raises:
        ValueError: it is none, or has not one group.
    """
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ValueError(f"group_pattern: not a regular expression ({error})") from error
    if pattern.groups != 1:
        raise ValueError(
            f"group_pattern: must have one group in parentheses, such as ^(patient\\d+)_, "
            f"not {pattern.groups}"
        )
    return pattern


def shared(train: Sequence[str], test: Sequence[str]) -> list[str]:
    """Groups that have samples in both splits, sorted."""
    return sorted(set(train) & set(test))


def draw_groups(
    labels: Sequence[str], groups: Sequence[str], fraction: float, seed: int, key: str
) -> NDArray[np.int64]:
    """Draw whole groups for a test split, with the classes about in their proportions.

    Groups are drawn, stratified by the class that most of their samples have.

    Args:
        labels, groups: class and group of each sample, length N.
        fraction: of the groups that are drawn, in (0, 1).
        seed: of the draw.
        key: name of the option that asks for it, for messages.

    Returns:
        Ascending positions of the drawn groups' samples, int64.

    Raises:
        ValueError: there are too few groups of a class.
    """
    from gradval.data.sources.subset import stratified_subset

    names, inverse = np.unique(np.asarray(groups), return_inverse=True)
    classes, coded = np.unique(np.asarray(labels), return_inverse=True)
    counts = np.zeros((len(names), len(classes)), np.int64)
    np.add.at(counts, (inverse, coded), 1)
    count = round(fraction * len(names))
    drawn = stratified_subset(counts.argmax(axis=1), count, seed, f"{key} (by groups)")
    return np.flatnonzero(np.isin(inverse, drawn)).astype(np.int64)
