"""Wrong labels and duplicates planted in a training split, to see who finds them.

What was planted is recorded in the provenance of the store, and nowhere else: neither training nor
scoring can tell.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradval.data.store import Split, Store

PLANTED = "planted"
WRONG_LABELS, DUPLICATES = "wrong_labels", "duplicates"
KINDS = (WRONG_LABELS, DUPLICATES)


def mislabel(
    labels: NDArray[np.int64], share: float, classes: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give a random share of samples another label, each of the other classes alike.

    Args:
        labels: `(N,)` in `0..classes-1`.
        share: in [0, 1], of the samples.
        classes: at least two.
        rng: of the choice and the labels.

    Returns:
        The labels, and the positions of the wrong ones in the order in which they were drawn.
    """
    labels = labels.copy()
    wrong = rng.choice(len(labels), round(share * len(labels)), replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, classes, len(wrong))) % classes
    return labels, wrong


def plant(store: Store, options: Mapping[str, Any] | None) -> Store:
    """The data set with wrong labels and duplicates in its training split, as it is asked for.

    Of some samples the label is changed; of some others an exact copy is appended, with the label
    and the group of the original and `#copy` after its id. None of them is both.

    Args:
        store: the data set.
        options: wrong_labels and duplicates, shares of the training split in [0, 1), and seed;
            `None` for nothing.

    Returns:
        The data set, which records under `planted` in its provenance: seed; wrong_labels, position
        -> true label; duplicates, position of the copy -> position of its original.

    Raises:
        ValueError: the shares add up to more than all samples, or there is one class.
    """
    if not options:
        return store
    shares = {kind: float(options.get(kind, 0)) for kind in KINDS}
    if sum(shares.values()) > 1:
        raise ValueError("planted: wrong_labels and duplicates together are more than all samples")
    if len(store.classes) < 2:
        raise ValueError("planted: wrong labels need at least two classes")
    rng = np.random.default_rng(options.get("seed", 0))
    train = store.train
    labels, wrong = mislabel(train.labels, shares[WRONG_LABELS], len(store.classes), rng)
    others = np.setdiff1d(np.arange(len(train)), wrong)
    count = round(shares[DUPLICATES] * len(train))
    originals = np.sort(rng.choice(others, count, replace=False))
    record = {
        "seed": options.get("seed", 0),
        WRONG_LABELS: {str(i): int(train.labels[i]) for i in np.sort(wrong)},
        DUPLICATES: {str(len(train) + i): int(original) for i, original in enumerate(originals)},
    }
    planted = _with_copies(replace(train, labels=labels), originals)
    return replace(store, train=planted, provenance={**store.provenance, PLANTED: record})


def planted_positions(store: Store) -> dict[str, NDArray[np.int64]]:
    """Positions in the training split of what was planted, by kind; kinds without any are left out.

    An original is a duplicate like its copy: nothing tells them apart.
    """
    record = store.provenance.get(PLANTED, {})
    found = {}
    for kind in KINDS:
        positions = [*map(int, record.get(kind, {}))]
        if kind == DUPLICATES:
            positions += record.get(kind, {}).values()
        if positions:
            found[kind] = np.unique(np.array(positions, dtype=np.int64))
    return found


def _with_copies(split: Split, originals: NDArray[np.int64]) -> Split:
    if not len(originals):
        return split
    copies = split.subset(originals)
    return Split(
        np.concatenate([split.images, copies.images]),
        np.concatenate([split.labels, copies.labels]),
        [*split.ids, *(f"{name}#copy" for name in copies.ids)],
        [*split.groups, *copies.groups],
    )
