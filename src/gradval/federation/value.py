"""What sites are worth: the utility of every coalition, exact Shapley values, leaving one out.

The utility of a coalition is the test accuracy, and minus the test loss, of a model that is trained
on what its sites hold together; all coalitions start from the same weights, sample at the same rate
and take the same number of steps, so that each sees each of its samples as often as all together
do. Without any site the answer is the uniform guess.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gradval.data.images import NormalisedImages
from gradval.data.store import Store
from gradval.federation.sites import Site, union
from gradval.models.architectures import model_for
from gradval.privacy.plan import PhasePlan
from gradval.training.fingerprints import stream_fingerprint
from gradval.training.loop import Trainer, TrainingData
from gradval.training.recipe import Recipe
from gradval.training.streams import seeded_key

Coalition = tuple[int, ...]
# Beyond it the number of coalitions, 2^n, is out of all proportion.
MOST_SITES = 6


@dataclass(frozen=True)
class Utility:
    """How good a model is: test accuracy in [0, 1], and test loss in nats."""

    accuracy: float
    loss: float


def coalitions(sites: Iterable[int]) -> list[Coalition]:
    """Every coalition, from the empty one to all together, members ascending.

    Raises:
        ValueError: there are more than `MOST_SITES` sites.
    """
    members = sorted(sites)
    if len(members) > MOST_SITES:
        raise ValueError(f"exact values are for up to {MOST_SITES} sites, not {len(members)}")
    return [c for size in range(len(members) + 1) for c in combinations(members, size)]


def shapley_values(utility: Mapping[Coalition, float]) -> NDArray[np.float64]:
    """Exact Shapley values: a site's mean contribution over all orders in which sites could join.

    Args:
        utility: of every coalition of the sites 0 to n - 1.

    Returns:
        `(n,)`, whose sum is the utility of all together minus that of nobody.

    Raises:
        KeyError: a coalition is missing.
    """
    count = max(map(len, utility))
    values = np.zeros(count)
    for site in range(count):
        others = [other for other in range(count) if other != site]
        for coalition in coalitions(others):
            joined = tuple(sorted((*coalition, site)))
            orders = math.factorial(len(coalition)) * math.factorial(count - len(coalition) - 1)
            gain = utility[joined] - utility[coalition]
            values[site] += orders / math.factorial(count) * gain
    return values


def leave_one_out(utility: Mapping[Coalition, float]) -> NDArray[np.float64]:
    """What is lost of the utility of all together if one site leaves, `(n,)`."""
    count = max(map(len, utility))
    everyone = tuple(range(count))
    rest = [tuple(s for s in everyone if s != site) for site in everyone]
    return np.array([utility[everyone] - utility[c] for c in rest])


def train_coalition(
    store: Store,
    sites: Sequence[Site],
    *,
    model_options: Mapping[str, Any],
    recipe: Recipe,
    phase: PhasePlan,
    seed: int,
    device: torch.device,
) -> Utility:
    """The utility of the sites' data together.

    Args:
        store: the data set, whose test split is evaluated.
        sites: the members; none for the uniform guess.
        model_options: as in `gradval.models.architectures.model_for`.
        recipe: hyper-parameters.
        phase: rate, steps and noise, of whichever coalition.
        seed: of initial weights and streams.
        device: to train on.

    Raises:
        TrainingDiverged: a loss or gradient is not finite.
    """
    classes = len(store.classes)
    if not sites:
        return Utility(1 / classes, math.log(classes))
    held = union(sites)
    data = TrainingData(
        NormalisedImages(held.images, store.mean, store.std, device),
        torch.from_numpy(held.labels).to(device),
        NormalisedImages(store.test.images, store.mean, store.std, device),
        torch.from_numpy(store.test.labels).to(device),
    )
    own = replace(phase, samples=len(held))
    only_last = replace(recipe, checkpoints=1)
    inputs = stream_fingerprint(store, data, only_last, own, model=model_options)
    name = "coalition/" + "-".join(str(site.number) for site in sites)
    model = model_for(store, model_options, seed).to(device)
    trainer = Trainer(model, data, own, only_last, key=seeded_key(seed, 0, name, inputs))
    last = trainer.run().metrics[-1]
    return Utility(last["test_accuracy"], last["test_loss"])


def values_table(utilities: Mapping[Coalition, Utility]) -> pd.DataFrame:
    """Shapley values and losses on leaving, of both utilities.

    Returns:
        One row a site: site, shapley_accuracy, shapley_loss, leave_out_accuracy, leave_out_loss,
        own_accuracy and own_loss (of the model that the site trains alone). Higher is better: of
        losses it is the drop.
    """
    accuracy = {c: u.accuracy for c, u in utilities.items()}
    minus_loss = {c: -u.loss for c, u in utilities.items()}
    count = max(map(len, utilities))
    return pd.DataFrame(
        {
            "site": range(count),
            "shapley_accuracy": shapley_values(accuracy),
            "shapley_loss": shapley_values(minus_loss),
            "leave_out_accuracy": leave_one_out(accuracy),
            "leave_out_loss": leave_one_out(minus_loss),
            "own_accuracy": [accuracy[(site,)] for site in range(count)],
            "own_loss": [minus_loss[(site,)] for site in range(count)],
        }
    )


def coalition_name(coalition: Coalition) -> str:
    """A coalition in files: "0-2-3", "nobody" for the empty one."""
    return "-".join(map(str, coalition)) or "nobody"
