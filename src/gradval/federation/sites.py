"""Sites of a federation: what each of them holds, and what was planted in some.

A scenario says how a training set is dealt out and which sites hold something else than they
should. What was planted is known, so that whoever claims to find it can be checked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradval.data.partition import (
    Positions,
    deal_by_class,
    deal_by_dirichlet,
    deal_by_group,
    deal_by_value,
    deal_evenly,
)
from gradval.data.planted import mislabel
from gradval.data.store import Split, Store
from gradval.study.federation import Deal, Kind
from gradval.training.recipe import derive_seed

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class PlantedKind:
    """One thing that can be wrong, or special, with a site.

    Attributes:
        label: in words.
        strength: what the number says, and between which it must lie (both included).
        limits: lowest and highest strength.
        worth: `harmful` if it should lower the model, `redundant` if it should add nothing,
            `valuable` if nobody else has it.
    """

    label: str
    strength: str
    limits: tuple[float, float]
    worth: Literal["harmful", "redundant", "valuable"]


KINDS: Mapping[str, PlantedKind] = {
    "pixel_noise": PlantedKind(
        "pixel noise", "its standard deviation, 1 = white", (0, 2), "harmful"
    ),
    "blur": PlantedKind("blur", "its standard deviation in pixels", (0, 20), "harmful"),
    "contrast": PlantedKind("another scanner", "contrast that is left", (0, 1), "harmful"),
    "wrong_labels": PlantedKind(
        "wrong labels", "share of labels that are wrong", (0, 1), "harmful"
    ),
    "rare_class": PlantedKind(
        "a rare class", "share of that class that no other site has", (0, 1), "valuable"
    ),
    "duplicates": PlantedKind("duplicates", "how often each sample occurs", (1, 20), "redundant"),
    "small": PlantedKind("very small", "share of its samples that it has", (0, 1), "redundant"),
}
assert tuple(KINDS) == get_args(Kind)


@dataclass(frozen=True)
class Plant:
    """What is planted in a site: the kind (a key of `KINDS`), and how strongly.

    Raises:
        ValueError: the kind is unknown, or the strength is outside of its limits.
    """

    kind: Kind
    strength: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind {self.kind!r}; known are {', '.join(KINDS)}")
        known = KINDS[self.kind]
        low, high = known.limits
        if not low <= self.strength <= high:
            raise ValueError(
                f"strength of {self.kind} is {known.strength}, from {low} to {high}, "
                f"got {self.strength}"
            )
        if self.kind == "duplicates" and self.strength != int(self.strength):
            raise ValueError(f"strength of duplicates must be a whole number, got {self.strength}")


@dataclass(frozen=True)
class Scenario:
    """How a training set becomes sites.

    Attributes:
        name: of the scenario.
        sites: how many.
        deal: who gets what: `iid`; `dirichlet`, label skew; `class`, whole classes; `group`, whole
            groups; `folder`, a site a folder that ids name; `column`, a site a group of the store.
        alpha: of `dirichlet`.
        planted: number of a site -> what is planted there.
    """

    name: str
    sites: int
    deal: Deal = "iid"
    alpha: float = 1.0
    planted: Mapping[int, Plant] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.deal not in get_args(Deal):
            raise ValueError(f"unknown deal {self.deal!r}; known are {', '.join(get_args(Deal))}")
        for site, plant in self.planted.items():
            if not 0 <= site < self.sites:
                raise ValueError(f"planted in site {site}, but sites are 0 to {self.sites - 1}")
            if plant.kind == "rare_class" and self.deal not in ("iid", "dirichlet"):
                raise ValueError(f"a rare class cannot be planted where sites are by {self.deal}")


@dataclass(frozen=True)
class Site:
    """One site.

    Attributes:
        number: from 0, in the order of the scenario.
        positions: int64, of its samples in the training split; a duplicate has that of its
            original.
        split: what it holds, as planted.
        plant: what was planted, if anything.
    """

    number: int
    positions: Positions
    split: Split
    plant: Plant | None = None

    @property
    def name(self) -> str:
        """By which files and tables call it."""
        return f"site{self.number}"

    def __len__(self) -> int:
        return len(self.positions)


def partition_sites(store: Store, scenario: Scenario, seed: int) -> list[Site]:
    """Deal out the training split, and plant what the scenario plants.

    Without `duplicates` and `small` every training sample is at exactly one site.

    Args:
        store: the data set; its test split belongs to nobody.
        scenario: what is done.
        seed: fixes all that is drawn, for each site on its own.

    Raises:
        ValueError: the data set cannot be dealt out so; one line that says why.
    """
    where = f"scenario {scenario.name} of {store.name}"
    rng = np.random.default_rng(derive_seed(seed, "deal", scenario.name))
    try:
        parts = _deal(store.train, scenario, rng)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    for number, plant in scenario.planted.items():
        if plant.kind == "rare_class":
            parts = _gather_class(parts, store.train.labels, number, plant.strength, rng)
    sites = []
    for number, positions in enumerate(parts):
        planted = scenario.planted.get(number)
        own = np.random.default_rng(derive_seed(seed, "plant", scenario.name, number))
        kept = _kept(positions, planted, own)
        if not len(kept):
            raise ValueError(f"{where}: nothing is left of site {number}")
        split = store.train.subset(kept)
        held = _planted(split, planted, len(store.classes), own)
        sites.append(Site(number, kept, held, planted))
    return sites


def sites_table(sites: Sequence[Site], classes: Sequence[str]) -> pd.DataFrame:
    """One row a site: what it holds, and what was planted there.

    Returns:
        Columns site, images, distinct (images), groups, planted (empty for nothing), strength,
        worth (`ordinary` where nothing was planted), label_entropy (in nats), and `class_<name>`
        with the number of images of each class by the site's own labels.
    """
    rows = []
    for site in sites:
        counts = np.bincount(site.split.labels, minlength=len(classes))
        rows.append(
            {
                "site": site.number,
                "images": len(site),
                "distinct": len(np.unique(site.positions)),
                "groups": len(set(site.split.groups)),
                "planted": site.plant.kind if site.plant else "",
                "strength": site.plant.strength if site.plant else np.nan,
                "worth": KINDS[site.plant.kind].worth if site.plant else "ordinary",
                "label_entropy": label_entropy(counts),
                **{f"class_{name}": n for name, n in zip(classes, counts.tolist(), strict=True)},
            }
        )
    return pd.DataFrame(rows)


def label_entropy(counts: NDArray[np.int64]) -> float:
    """Entropy in nats of class counts, at least one of them positive."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def union(sites: Sequence[Site]) -> Split:
    """What several sites hold together, in their order."""
    splits = [site.split for site in sites]
    return Split(
        np.concatenate([split.images for split in splits]),
        np.concatenate([split.labels for split in splits]),
        [name for split in splits for name in split.ids],
        [name for split in splits for name in split.groups],
    )


def _deal(train: Split, scenario: Scenario, rng: np.random.Generator) -> list[Positions]:
    count = scenario.sites
    match scenario.deal:
        case "iid":
            return deal_evenly(len(train), count, rng)
        case "dirichlet":
            return deal_by_dirichlet(train.labels, count, scenario.alpha, rng)
        case "class":
            return deal_by_class(train.labels, count, rng)
        case "group":
            return deal_by_group(train.groups, count, rng)
        case "folder":
            folders = [name.rpartition("/")[0] for name in train.ids]
            return deal_by_value(folders, count, "folders")
        case "column":
            return deal_by_value(train.groups, count, "groups")


def _gather_class(
    parts: Sequence[Positions],
    labels: NDArray[np.int64],
    site: int,
    share: float,
    rng: np.random.Generator,
) -> list[Positions]:
    """Give a site a share of the rarest class that others have, for as many of its other samples.

    What it cannot pay for because it has nothing else any more, it gets all the same.
    """
    counts = np.bincount(labels)
    rare = int(np.flatnonzero(counts == counts[counts > 0].min())[-1])
    taker, others = list(parts[site]), {}
    offered = list(rng.permutation([p for p in taker if labels[p] != rare]))
    for number, part in enumerate(parts):
        if number == site:
            continue
        members = part[labels[part] == rare]
        given = rng.choice(members, round(share * len(members)), replace=False)
        paid, offered = offered[: len(given)], offered[len(given) :]
        taker = [*(set(taker) - set(paid)), *given]
        others[number] = np.concatenate([np.setdiff1d(part, given), np.array(paid, np.int64)])
    others[site] = np.array(taker, np.int64)
    return [np.sort(others[number]) for number in range(len(parts))]


def _kept(positions: Positions, plant: Plant | None, rng: np.random.Generator) -> Positions:
    if plant is not None and plant.kind == "duplicates":
        return np.repeat(positions, int(plant.strength))
    if plant is not None and plant.kind == "small":
        count = round(plant.strength * len(positions))
        return np.sort(rng.choice(positions, count, replace=False))
    return positions


def _planted(split: Split, plant: Plant | None, classes: int, rng: np.random.Generator) -> Split:
    if plant is None:
        return split
    if plant.kind in _IMAGES:
        return replace(split, images=_IMAGES[plant.kind](split.images, plant.strength, rng))
    if plant.kind == "wrong_labels":
        labels, _ = mislabel(split.labels, plant.strength, classes, rng)
        return replace(split, labels=labels)
    return split


def _noisy(images: Images, strength: float, rng: np.random.Generator) -> Images:
    return _pixels(images + rng.normal(0, 255 * strength, images.shape))


def _blurred(images: Images, strength: float, rng: np.random.Generator) -> Images:
    from scipy.ndimage import gaussian_filter

    return _pixels(gaussian_filter(images.astype(np.float64), (0, 0, strength, strength)))


def _flat(images: Images, strength: float, rng: np.random.Generator) -> Images:
    return _pixels(127.5 + strength * (images - 127.5))


def _pixels(values: NDArray[np.floating]) -> Images:
    pixels: Images = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return pixels


_IMAGES: Mapping[str, Callable[[Images, float, np.random.Generator], Images]] = {
    "pixel_noise": _noisy,
    "blur": _blurred,
    "contrast": _flat,
}
