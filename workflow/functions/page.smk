"""What the page of the study is made of."""

from gradval.report.study_page import asked

# Figures that show images are left out where no image shall be shown.
SHOWN_FIGURES = [
    name
    for name, figure in FIGURES.items()
    if STUDY.report.images != "none" or not asked.shows_images(figure)
]


def page_federation():
    """Whether the federation of this config is part of the default target."""
    return FEDERATION is not None and FEDERATION.dataset in STUDY.grid.datasets


def page_tables():
    """Tables of the page, by the sections that show them."""
    tables = ["results/runs/full.csv", "results/runs/full_ledger.csv"]
    tables += ["results/scorecard.csv"] if CONCERNS_PAPER else []
    if PRUNED:
        tables += ["results/table1.csv", "results/runs/pruned_ledger.csv"]
    if page_federation():
        tables += [
            f"results/federation/{table}.csv"
            for table in ("sites", "summary", "guarantees")
        ]
    if any(names.is_private(setting.privacy) for setting in SETTINGS):
        tables += ["results/privacy_cost.csv"]
    return tables


def page_extras(wildcards):
    """What is not part of the default target and shown once it was asked for, with its digest.

    Not an input, which would be made anew.
    """
    paths = ["results/audit.csv", *question_targets()]
    return {path: file_digest(path) for path in paths if Path(path).exists()}


def page_figures():
    """Pictures of the page."""
    names = [*SHOWN_FIGURES, *(["learning_curves"] if TRAINED else [])]
    names += ["table1"] if PRUNED else []
    names += ["levels"] if compares_levels() else []
    names += ["free_scores"] if STUDY.scores.free and TRAINED else []
    names += ["federation_values", "federation_sites"] if page_federation() else []
    return [f"results/figures/{name}.png" for name in names]


def page_inputs(wildcards):
    """Everything that the page shows."""
    inputs = {"tables": page_tables(), "figures": page_figures()}
    if STUDY.report.images == "none":
        return inputs
    inputs["scores"] = run_files(SETTINGS, *score_files("full", SCORES))
    inputs["stores"] = [file for name in STUDY.grid.datasets for file in store_of(name)]
    if page_federation():
        inputs["sites"] = federated_files("scores.parquet")
    return inputs


def page_facts(wildcards):
    """What no table says about the study, as plain values."""
    return asked.study_facts(STUDY, SHOWN_FIGURES, FIGURES)


def page_scenarios(wildcards):
    """Scenarios of the federation as plain values, by name."""
    if not page_federation():
        return {}
    return {
        name: block.model_dump() | {"dataset": FEDERATION.dataset}
        for name, block in FEDERATION.scenarios.items()
    }
