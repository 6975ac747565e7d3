"""The bundled data: the handwritten digits that scikit-learn ships."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gradval.data.store import Split, Store


def digits(name: str, options: Mapping[str, Any], scratch: Path) -> Store:
    """The real handwritten digits that scikit-learn ships: 1,797 grey images, 8x8, 10 classes.

    They are the test half of the UCI "Optical Recognition of Handwritten Digits" data (Alpaydin and
    Kaynak, 1998), with 17 grey levels, here scaled to the full range of uint8. scikit-learn has no
    official split: a stratified one is drawn once from `split_seed`.

    Args:
        name: the data set's name in the config.
        options: `test_fraction` in (0, 1), `split_seed` (int), `mean`, `std` (length 1).
        scratch: not needed.
    """
    # Imported here so that a job on another data set does not pay for it.
    import sklearn
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = bunch.target.astype(np.int64)
    train, test = train_test_split(
        np.arange(len(labels)),
        test_size=options["test_fraction"],
        random_state=options["split_seed"],
        stratify=labels,
    )

    def split(indices: np.ndarray) -> Split:
        order = np.sort(indices)
        return Split(images[order], labels[order], [f"digits/{i:04d}" for i in order])

    return Store(
        name=name,
        classes=tuple(str(c) for c in bunch.target_names),
        mean=tuple(options["mean"]),
        std=tuple(options["std"]),
        train=split(train),
        test=split(test),
        provenance={
            "source": "digits",
            "origin": f"sklearn.datasets.load_digits, scikit-learn {sklearn.__version__}",
            "reference": "Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, "
            "UCI Machine Learning Repository",
            "id": "digits/<position in load_digits()>",
            "test_fraction": options["test_fraction"],
            "split_seed": options["split_seed"],
        },
    )
