"""The sections of the page: each appears where its table or picture exists.

To add one, write a function that returns its `Content`, or `None` where the study has nothing for
it, and give it an entry in `SECTIONS`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from gradval.report.audits import audit_table
from gradval.report.labels import figure_label
from gradval.report.ledgers import ledger_table
from gradval.report.study_page.claims import claim_views, filters_of, sections_of
from gradval.report.study_page.material import Material
from gradval.report.study_page.rendering import render
from gradval.report.table1 import removal_table
from gradval.report.tables import Table
from gradval.study.names import dataset_label, model_label, privacy_label, privacy_order

SCORECARD = "templates/scorecard.html.j2"
MADE = "templates/made.html.j2"
QUESTIONS = {
    "correlations": "Correlations of scores",
    "explained": "What scores see",
    "reliability": "Reliability of one sample's score",
    "scales": "Raw and class-normalised scores",
    "vog_forms": "Forms of VoG",
    "checkpoint_windows": "Early, late and all checkpoints",
    "checkpoint_counts": "Number of checkpoints",
    "planted": "Wrong labels and duplicates",
    "doses": "Removals of several sizes",
}
# Pictures that stand in a section of their own, beside their table.
OWN_PLACE = {
    "learning_curves": "accuracy",
    "table1": "table1",
    "levels": "levels",
    "free_scores": "free",
    "federation_values": "federation",
    "federation_sites": "federation",
    **dict.fromkeys(QUESTIONS, "questions"),
}
# What pictures are called that are not the paper's.
LABELS = {"table1": "Table 1", **QUESTIONS}


NOTHING = Markup("")


@dataclass(frozen=True)
class Picture:
    """A figure on the page: name, what it is called, and what it shows."""

    name: str
    label: str
    title: str = ""


@dataclass(frozen=True)
class Content:
    """What stands below the heading of a section, in this order.

    Attributes:
        intro: sentences.
        html: anything of its own.
        figures: pictures.
        tables: tables, folded up if they are long.
        links: (text, file below the folder), for those that there are.
    """

    intro: str = ""
    html: Markup = NOTHING
    figures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    links: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Section:
    """A section: its anchor, its heading (also in the menu), and what makes its content."""

    name: str
    title: str
    build: Callable[[Material], Content | None]


def _scorecard(material: Material) -> Content | None:
    views = claim_views(material)
    if not views:
        return None
    html = render(
        SCORECARD,
        sections=sections_of(views),
        views=views,
        filters=filters_of(views),
        labels={name: picture_of(name, material).label for name in material.figures},
    )
    links = [("as one table", "scorecard.html"), ("numbers", "scorecard.csv")]
    return Content(html=html, links=links)


def _figures(material: Material) -> Content | None:
    shown = [name for name in material.figures if name not in OWN_PLACE]
    return Content(figures=[picture_of(name, material) for name in shown]) if shown else None


def _table1(material: Material) -> Content | None:
    frame = material.table("table1.csv")
    if frame is None:
        return None
    papers = frame.dropna(subset=["paper"]) if "paper" in frame else frame[:0]
    cells = zip(papers["privacy"].astype(str), papers["removal"].astype(str), strict=True)
    printed = dict(zip(cells, papers.get("paper", pd.Series()).astype(float), strict=True))
    substitutes = frame["substitutes"].iloc[0] if "substitutes" in frame else ""
    table = removal_table(
        frame, paper=printed or None, substitutes="" if pd.isna(substitutes) else str(substitutes)
    )
    return Content(
        figures=_pictures(material, "table1"),
        tables=[table],
        links=[("numbers", "table1.csv"), ("LaTeX", "table1.tex")],
    )


def _accuracy(material: Material) -> Content | None:
    figures = _pictures(material, "accuracy")
    tables = [accuracy_table(material.runs)] if material.runs is not None else []
    if not figures and not tables:
        return None
    return Content(figures=figures, tables=tables, links=[("numbers", "runs/full.csv")])


def accuracy_table(runs: pd.DataFrame) -> Table:
    """Test accuracy of every model and privacy level, mean and every seed.

    Args:
        runs: one row a run: dataset, model, privacy, seed, test_accuracy in [0, 1].
    """
    levels = privacy_order(map(str, runs["privacy"].unique()))
    rows = []
    for (dataset, model), group in runs.groupby(["dataset", "model"], sort=False):
        cells = [
            _accuracies(100 * group.loc[group["privacy"] == level, "test_accuracy"])
            for level in levels
        ]
        rows.append([f"{model_label(str(model))}, {dataset_label(str(dataset))}", *cells])
    frame = pd.DataFrame(rows, columns=["Model", *map(privacy_label, levels)])
    return Table.of(
        frame,
        "Test accuracy (%)",
        kinds={privacy_label(level): "interval" for level in levels},
        notes=["Mean over runs; in brackets the lowest and the highest of them."],
    )


def _accuracies(values: pd.Series) -> str:
    if values.empty:
        return "–"
    spread = f" ({values.min():.1f} to {values.max():.1f})" if len(values) > 1 else ""
    return f"{values.mean():.1f}{spread}"


def _levels(material: Material) -> Content | None:
    figures = _pictures(material, "levels")
    if not figures:
        return None
    return Content(
        intro="What privacy changes in which samples score highest, apart from what noise and "
        "initial weights change.",
        figures=figures,
        links=[("numbers", "levels.csv")],
    )


def _free(material: Material) -> Content | None:
    figures = _pictures(material, "free")
    return Content(figures=figures, links=[("numbers", "free_scores.csv")]) if figures else None


def _federation(material: Material) -> Content | None:
    sites = material.table("federation/sites.csv", keep_default_na=False, na_values=["nan"])
    found = material.table("federation/summary.csv")
    promised = material.table("federation/guarantees.csv")
    if sites is None or found is None or promised is None:
        return None
    # Imported here: most pages have none.
    from gradval.report.federation import federation_tables

    return Content(
        intro="Sites publish statistics of their scores under differential privacy. Held against "
        "what they are worth, their exact Shapley values: who is found, and who would be paid?",
        figures=_pictures(material, "federation"),
        tables=federation_tables(sites, found, promised),
        links=[("as one page", "federation/federation.html"), ("sites", "federation/sites.csv")],
    )


def _audit(material: Material) -> Content | None:
    frame = material.table("audit.csv")
    if frame is None:
        return None
    records: list[dict[str, Any]] = [
        {str(name): value for name, value in row.items()} for row in frame.to_dict("records")
    ]
    return Content(tables=[audit_table(records)], links=[("numbers", "audit.csv")])


def _questions(material: Material) -> Content | None:
    figures = _pictures(material, "questions")
    if not figures:
        return None
    return Content(intro="What the paper leaves open, measured.", figures=figures)


def _ledgers(material: Material) -> Content | None:
    tables = []
    cost = material.table("privacy_cost.csv", keep_default_na=False)
    if cost is not None and "kind" in cost:
        # Imported here: kept evidence has none.
        from gradval.report.privacy_cost import cost_table

        tables.append(cost_table(cost))
    for kind, title in (("full", "Runs on all data"), ("pruned", "Runs of Table 1")):
        frame = material.table(f"runs/{kind}_ledger.csv", dtype=str, keep_default_na=False)
        if frame is not None:
            tables.append(ledger_table(frame, title))
    if not tables:
        return None
    return Content(
        intro="What every run executed, and the ε of its composition under each accountant.",
        tables=tables,
        links=[
            ("full runs", "runs/full_ledger.html"),
            ("runs of Table 1", "runs/pruned_ledger.html"),
            ("the whole study", "privacy_cost.html"),
        ],
    )


def _made(material: Material) -> Content | None:
    facts = material.facts
    if not (facts.made or facts.costs or facts.config):
        return None
    total = sum(float(row["minutes"]) for row in facts.costs)
    html = render(
        MADE, made=facts.made, costs=facts.costs, total=math.ceil(total), config=facts.config
    )
    return Content(html=html)


def picture_of(name: str, material: Material) -> Picture:
    """A figure with its names for the page."""
    facts = material.facts.figures.get(name)
    label = figure_label(name).replace("  ", " ")
    if label == name:
        label = LABELS.get(name, name.replace("_", " ").capitalize())
    return Picture(name, label, facts.title if facts else "")


def _pictures(material: Material, place: str) -> list[Picture]:
    names = [name for name, own in OWN_PLACE.items() if own == place and material.figure(name)]
    return [picture_of(name, material) for name in names]


SECTIONS = (
    Section("scorecard", "Scorecard", _scorecard),
    Section("accuracy", "Accuracy", _accuracy),
    Section("figures", "Figures", _figures),
    Section("table1", "Table 1", _table1),
    Section("levels", "Levels", _levels),
    Section("free", "Free scores", _free),
    Section("federation", "Federation", _federation),
    Section("questions", "Open questions", _questions),
    Section("audit", "Audit", _audit),
    Section("ledgers", "Ledgers", _ledgers),
    Section("made", "How it was made", _made),
)
