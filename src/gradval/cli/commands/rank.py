"""Rank sites by what they published, find atypical ones, and split a reward.

Each STATISTICS is a table that `gradval release --statistics mean,histogram` wrote, of one score
and the same bounds and epsilon for all; a site is called by the folder of its results. Anybody can
do this: nothing but published numbers is read.

A site's share of the reward is its published mean above the floor (the lower bound), over the sum
of all of them. Its distance is the area between its published distribution and that of the others,
in bins.

Examples:
  gradval rank */released/vog-statistics-*.csv --floor 0
  gradval rank a/released/loss-*.csv b/released/loss-*.csv --floor 0 --reward 10000
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("tables", metavar="STATISTICS", nargs="+", help="one a site")
    parser.add_argument("--floor", type=float, required=True, help="lower bound of the score")
    parser.add_argument("--reward", type=float, default=100.0, help="to be split; default 100")


def run(options: argparse.Namespace) -> int:
    """Print a row a site, the highest value first.

    Raises:
        ValueError, OSError: a table is missing or not of this form.
    """
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from gradval.federation.reward import atypicality, ranking, split_reward

    if len(options.tables) < 2:
        raise ValueError("a ranking needs at least two sites")
    means, histograms = {}, {}
    for path in map(Path, options.tables):
        table = pd.read_csv(path)
        if not {"statistic", "key", "value"} <= set(table) or "mean" not in set(table["statistic"]):
            raise ValueError(f"{path}: no published mean; see gradval release --statistics")
        name = path.resolve().parent.parent.name
        if name in means:
            raise ValueError(f"{path}: a second table of the site {name}")
        means[name] = float(table.loc[table["statistic"] == "mean", "value"].iloc[0])
        histograms[name] = table.loc[table["statistic"] == "histogram", "value"].to_numpy()
    values = np.array(list(means.values()))
    shown = pd.DataFrame(
        {
            "site": list(means),
            "published": values,
            "rank": ranking(values),
            "reward": split_reward(values, total=options.reward, floor=options.floor),
        }
    )
    if len({len(counts) for counts in histograms.values()} - {0}) == 1:
        shown["distance"] = atypicality(np.stack(list(histograms.values())))
    print(shown.sort_values("rank").to_string(index=False, float_format=lambda v: f"{v:.4g}"))
    return 0
