"""Draw one figure of the paper."""

from pathlib import Path

import pandas as pd

from gradval.data.store import open_store
from gradval.evidence.constant import beside_constant_answer, constant_accuracy, no_better
from gradval.report.figures import (
    plot_consistency,
    plot_extremes,
    plot_score_distribution,
    plot_selection_pair,
    save_figure,
)
from gradval.report.labels import any_label
from gradval.runtime.files import read_json
from gradval.runtime.jobs import job
from gradval.scores.files import read_score
from gradval.selection import select
from gradval.study.experiments import Figure
from gradval.study.names import dataset_label, model_label, privacy_label, score_label


def note(substitutes):
    """What took the place of the paper's own, for the foot of a figure."""
    parts = [f"{any_label(ours)} for {any_label(paper)}" for paper, ours in substitutes.items()]
    return "Substitute: " + ", ".join(parts) if parts else ""


def describe(comparison, side):
    """A side in two lines, as "VoG, ResNet-18, ε = 1" and "digits, class 0"."""
    where = f", class {comparison.class_name}" if comparison.class_name else ""
    names = (score_label(side.score), model_label(side.model), privacy_label(side.privacy))
    return f"{', '.join(names)}\n{dataset_label(comparison.dataset)}{where}"


def describe_run(shown):
    """The run of a figure in one line, as "ResNet-18, ε = 4, digits"."""
    where = f", class {shown.class_name}" if shown.class_name else ""
    names = (model_label(shown.model), privacy_label(shown.privacy), dataset_label(shown.dataset))
    return f"{', '.join(names)}{where}"


def distribution(files, shown, common):
    store = open_store(Path(files.store[0]).parent)
    return plot_score_distribution(
        read_score(files.scores[0], "normalised"),
        store.train.images,
        score=shown.score,
        labels=store.train.labels,
        class_names=store.classes,
        **{**common, "title": f"{shown.title}: {describe_run(shown)}"},
    )


def learnt_nothing(files, shown, store):
    """A sentence if the run of a figure is no better than the constant answer, or nothing."""
    run = vars(shown.setting) | read_json(files.summary[0])
    constant = {shown.dataset: constant_accuracy(store.test.labels)}
    poor = no_better(beside_constant_answer(pd.DataFrame([run]), constant))
    return "".join(f"{sentence}: its scores say little." for sentence in poor)


def extremes(files, shown, common):
    store = open_store(Path(files.store[0]).parent)
    scores = read_score(files.scores[0], snakemake.params.scale)
    labels, class_name = store.train.labels, shown.class_name
    within = None if class_name is None else labels == store.class_index(class_name)
    ends = [select(scores, snakemake.params.k, largest, within) for largest in (True, False)]
    names = [[store.classes[label] for label in labels[chosen]] for chosen in ends]
    notes = [common["note"], learnt_nothing(files, shown, store)]
    common = {**common, "note": " ".join(filter(None, notes))}
    return plot_extremes(
        *(store.train.images[chosen] for chosen in ends),
        names_largest=names[0],
        names_smallest=names[1],
        titles=tuple(f"{end} {score_label(shown.score)}" for end in ("largest", "smallest")),
        **{**common, "title": f"{shown.title}: {describe_run(shown)}"},
    )


def pair(files, shown, common):
    (comparison,) = shown.comparisons
    store = open_store(Path(files.store[0]).parent)
    selections = pd.read_csv(files.selections[0], dtype={"id": str})
    seeds, draws = (sorted(selections[name].unique()) for name in ("seed", "draw"))
    first = selections[(selections["seed"] == seeds[0]) & (selections["draw"] == draws[0])]
    if len(seeds) * len(draws) > 1:
        run, runs = f"seed {seeds[0]}", f"{len(seeds)} seeds"
        if len(draws) > 1:
            run, runs = f"{run}, draw {draws[0]}", f"{runs} of {len(draws)} draws"
        common = {**common, "note": f"Images: {run}; table: {runs}. {common['note']}".strip()}
    a, b = (first[first["side"] == side].sort_values("rank") for side in ("a", "b"))
    classes = {}
    if comparison.class_name is None and shown.show_classes:
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
        titles=tuple(describe(comparison, side) for side in (comparison.a, comparison.b)),
        statistics=pd.read_csv(files.statistics[0]),
        paper=dict(snakemake.params.paper),
        **classes,
        **common,
    )


def agreement(files, shown, common):
    tables = []
    for path, comparison in zip(files.statistics, shown.comparisons, strict=True):
        tables.append(pd.read_csv(path).assign(score=comparison.a.score))
    first = shown.comparisons[0]
    store = open_store(Path(files.store[0]).parent)
    name = first.class_name
    candidates = store.train.labels == store.class_index(name) if name else store.train.labels >= 0
    return plot_consistency(
        pd.concat(tables),
        sides=tuple(privacy_label(side.privacy) for side in (first.a, first.b)),
        k=snakemake.params.k,
        candidates=int(candidates.sum()),
        pearson_top=snakemake.params.pearson_top,
        image_shape=store.image_shape,
        **common,
    )


with job(snakemake.log[0]):
    shown = Figure.from_dict(snakemake.params.figure)
    draw = {
        "distribution": distribution,
        "extremes": extremes,
        "pair": pair,
        "agreement": agreement,
    }
    common = {
        "title": shown.title,
        "note": note(shown.substitutes),
    }
    figure = draw[shown.kind](snakemake.input, shown, common)
    save_figure(figure, snakemake.output.png, snakemake.output.pdf)
