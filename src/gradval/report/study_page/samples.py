"""The samples of a study as collections of a gallery: data sets, and sites of a federation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gradval.data.store import Store, open_store
from gradval.report.study_page.gallery import Collection, GalleryRun
from gradval.scores.files import read_score
from gradval.study.names import dataset_label, model_label, privacy_label, run_key, score_label


def study_collections(
    stores: Sequence[str | Path], scores: Sequence[str | Path], notices: Mapping[str, str]
) -> list[Collection]:
    """The training samples of every data set, with all their scores.

    Args:
        stores: folders of stores, each called after its data set.
        scores: `results/{dataset}/.../full/scores/{score}.parquet`, in the order of settings.
        notices: data set -> what is to be known of its images; empty for nothing.
    """
    found = []
    for store in map(open_store, stores):
        runs: dict[tuple[Any, ...], dict[str, Path]] = {}
        for path in map(Path, scores):
            key = run_key(path)
            if key["dataset"] == store.name:
                runs.setdefault(tuple(key.values()), {})[path.stem] = path
        if not runs:
            continue
        names = dict.fromkeys(score for files in runs.values() for score in files)
        found.append(
            _collection(
                store,
                runs=[
                    GalleryRun(
                        _run_words(key), {name: read_score(path) for name, path in files.items()}
                    )
                    for key, files in runs.items()
                ],
                scores=list(names),
                notice=notices.get(store.name, ""),
            )
        )
    return found


def _collection(
    store: Store, runs: Sequence[GalleryRun], scores: Sequence[str], notice: str
) -> Collection:
    train = store.train
    columns = {} if list(train.groups) == list(train.ids) else {"Group": train.groups}
    return Collection(
        name=store.name,
        title=dataset_label(store.name),
        classes=store.classes,
        labels=train.labels,
        files=train.ids,
        images=train.images,
        runs=runs,
        scores={name: score_label(name) for name in scores},
        columns=columns,
        notice=notice,
    )


def _run_words(key: tuple[Any, ...]) -> dict[str, tuple[str, str]]:
    _, model, privacy, seed, draw = key
    return {
        "Model": (model, model_label(model)),
        "Privacy": (privacy, privacy_label(privacy)),
        "Seed": (str(seed), f"seed {seed}"),
        "Draw": (str(draw), f"draw {draw}"),
    }


def federated_collections(
    stores: Sequence[str | Path],
    scores: Sequence[str | Path],
    scenarios: Mapping[str, Mapping[str, Any]],
) -> list[Collection]:
    """What the sites of a federation hold, as planted, with the scores that they publish from.

    Args:
        stores: folders of stores, of which one is shared among the sites.
        scores: `results/federation/{scenario}/seed{seed}/scores.parquet`: site, index, group and
            scores.
        scenarios: name -> a scenario of the config as plain values, and its data set.
    """
    if not scores:
        return []
    # Imported here: most studies have no sites.
    from gradval.federation.persons import CLIPPED_VOG
    from gradval.federation.plan import scenario_from
    from gradval.federation.sites import KINDS, partition_sites

    opened = {store.name: store for store in map(open_store, stores)}
    found = []
    for path in map(Path, scores):
        name, seed = path.parts[-3], int(path.parts[-2].removeprefix("seed"))
        block = dict(scenarios[name])
        store = opened[block.pop("dataset")]
        sites = partition_sites(store, scenario_from(name, block), seed)
        table = pd.read_parquet(path)
        others = ("site", "index", "group", CLIPPED_VOG)
        columns = [str(column) for column in table if column not in others]
        positions = np.concatenate([site.positions for site in sites])
        labels = np.concatenate([site.split.labels for site in sites])
        true = store.train.labels[positions]
        planted = [KINDS[site.plant.kind].label if site.plant else "" for site in sites]
        found.append(
            Collection(
                name=f"{name}-seed{seed}",
                title=f"Sites of {name}, seed {seed}",
                classes=store.classes,
                labels=labels,
                files=[store.train.ids[position] for position in positions],
                images=np.concatenate([site.split.images for site in sites]),
                runs=[
                    GalleryRun(
                        {"Model": ("shared", "shared model")},
                        {column: table[column].to_numpy() for column in columns},
                    )
                ],
                scores={column: score_label(column) for column in columns},
                columns={
                    "Site": [f"{site.number}" for site in sites for _ in range(len(site))],
                    "Planted": [
                        kind
                        for kind, site in zip(planted, sites, strict=True)
                        for _ in range(len(site))
                    ],
                    "Label before": [
                        "" if now == was else str(store.classes[was])
                        for now, was in zip(labels, true, strict=True)
                    ],
                },
            )
        )
    return found
