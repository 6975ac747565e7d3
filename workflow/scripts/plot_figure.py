"""Draw one figure of the paper."""

from pathlib import Path

import pandas as pd

from gradval.data.store import open_store
from gradval.report.figures import (
    plot_consistency,
    plot_extremes,
    plot_score_distribution,
    plot_selection_pair,
    save_figure,
)
from gradval.report.labels import any_label
from gradval.runtime.jobs import job
from gradval.scores.files import read_score
from gradval.selection import select
from gradval.study.names import dataset_label, model_label, privacy_label, score_label


def note(stand_ins):
    """Who plays the paper's parts, for the foot of a figure."""
    parts = [f"{any_label(player)} for {any_label(name)}" for name, player in stand_ins.items()]
    return "Stand-in: " + ", ".join(parts) if parts else ""


def describe(dataset, side, class_name=None):
    """A side in two lines, as "VoG, ResNet-18, ε = 1" and "digits, class 0"."""
    where = dataset_label(dataset) + (f", class {class_name}" if class_name else "")
    names = (score_label(side["score"]), model_label(side["model"]), privacy_label(side["privacy"]))
    return f"{', '.join(names)}\n{where}"


def describe_run(dataset, model, privacy, class_name=None):
    """A run in one line, as "ResNet-18, ε = 4, digits"."""
    where = f", class {class_name}" if class_name else ""
    return f"{model_label(model)}, {privacy_label(privacy)}, {dataset_label(dataset)}{where}"


def distribution(files, definition, common):
    dataset, model, privacy = definition["setting"]
    store = open_store(Path(files.store[0]).parent)
    run = describe_run(dataset, model, privacy)
    return plot_score_distribution(
        read_score(files.scores[0], "normalised"),
        store.train.images,
        score=definition["score"],
        labels=store.train.labels,
        class_names=store.classes,
        **{**common, "title": f"{definition['title']}: {run}"},
    )


def extremes(files, definition, common):
    dataset, model, privacy = definition["setting"]
    store = open_store(Path(files.store[0]).parent)
    scores = read_score(files.scores[0], snakemake.params.scale)
    labels, class_name = store.train.labels, definition.get("class")
    within = None if class_name is None else labels == store.class_index(class_name)
    run = describe_run(dataset, model, privacy, class_name)
    ends = [select(scores, snakemake.params.k, largest, within) for largest in (True, False)]
    names = [[store.classes[label] for label in labels[chosen]] for chosen in ends]
    return plot_extremes(
        *(store.train.images[chosen] for chosen in ends),
        names_largest=names[0],
        names_smallest=names[1],
        titles=tuple(
            f"{end} {score_label(definition['score'])}" for end in ("largest", "smallest")
        ),
        **{**common, "title": f"{definition['title']}: {run}"},
    )


def pair(files, definition, common):
    (comparison,) = definition["sides"].values()
    store = open_store(Path(files.store[0]).parent)
    selections = pd.read_csv(files.selections[0], dtype={"id": str})
    seeds = sorted(selections["seed"].unique())
    first = selections[selections["seed"] == seeds[0]]
    if len(seeds) > 1:
        shown = f"Images: seed {seeds[0]}; table: {len(seeds)} seeds."
        common = {**common, "note": f"{shown} {common['note']}".strip()}
    a, b = (first[first["side"] == side].sort_values("rank") for side in ("a", "b"))
    classes = {}
    if comparison["class_name"] is None and definition["show_classes"]:
        classes = {
            "classes_a": a["label"].to_numpy(),
            "classes_b": b["label"].to_numpy(),
            "class_names": store.classes,
        }
    return plot_selection_pair(
        store.train.images[a["index"].to_numpy()],
        store.train.images[b["index"].to_numpy()],
        indices_a=a["index"].to_numpy(),
        indices_b=b["index"].to_numpy(),
        titles=tuple(
            describe(comparison["dataset"], comparison[side], comparison["class_name"])
            for side in ("a", "b")
        ),
        statistics=pd.read_csv(files.statistics[0]),
        paper=dict(snakemake.params.paper),
        **classes,
        **common,
    )


def agreement(files, definition, common):
    tables = []
    for path, comparison in zip(files.statistics, definition["sides"].values(), strict=True):
        tables.append(pd.read_csv(path).assign(score=comparison["a"]["score"]))
    first = next(iter(definition["sides"].values()))
    store = open_store(Path(files.store[0]).parent)
    name = first["class_name"]
    candidates = store.train.labels == store.class_index(name) if name else store.train.labels >= 0
    return plot_consistency(
        pd.concat(tables),
        sides=tuple(privacy_label(first[side]["privacy"]) for side in ("a", "b")),
        k=snakemake.params.k,
        candidates=int(candidates.sum()),
        pearson_top=snakemake.params.pearson_top,
        image_shape=store.image_shape,
        **common,
    )


with job(snakemake.log[0]):
    definition = snakemake.params.definition
    draw = {
        "distribution": distribution,
        "extremes": extremes,
        "pair": pair,
        "agreement": agreement,
    }
    common = {
        "title": definition["title"],
        "note": note(definition["stand_ins"]),
    }
    figure = draw[definition["kind"]](snakemake.input, definition, common)
    save_figure(figure, snakemake.output.png, snakemake.output.pdf)
