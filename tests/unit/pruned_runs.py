"""Pruned runs for the tests of Table 1."""

import pandas as pd


def pruned(
    removal: str, test: list[float], privacy: str = "eps1", seconds: float = 80.0, **more: object
) -> pd.DataFrame:
    """Runs of one removal, one a seed."""
    plain = {"dataset": "digits", "model": "resnet9", "privacy": privacy, "removal": removal}
    plain |= {"train_accuracy": 0.9, "training_seconds": seconds, **more}
    return pd.DataFrame({"seed": range(len(test)), "test_accuracy": test}).assign(**plain)


def table1_runs() -> pd.DataFrame:
    """Two privacy levels out of order, three seeds, some cells missing."""
    return pd.concat(
        [
            pruned("none", [0.60, 0.62, 0.64], seconds=100.0),
            pruned("random", [0.50, 0.54, 0.58]),
            pruned("vog", [0.49, 0.52, 0.55], train_accuracy=[0.7, 0.8, 0.9]),
            pruned("loss", [0.53, 0.55, 0.62], seconds=50.0),
            pruned("none", [0.7], privacy="nonprivate"),
            pruned("elsewhere", [0.5], privacy="nonprivate"),
            pruned("plis", [0.6], privacy="eps10"),
            pruned("grad_norm", [0.6], privacy="eps4"),
            pruned("random", [0.65], privacy="eps4"),
        ],
        ignore_index=True,
    )
