"""Table 1: test accuracy after removing the samples with the largest scores and resuming.

The paper's columns are the four scores, its rows the privacy levels. Here stand beside them two
controls, random removal and no removal, the spread over seeds, and differences from random removal
that are paired by seed.
"""

import html
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from gradval.evidence.claims import parse_claims
from gradval.evidence.intervals import by_seed, paired_difference, summarise
from gradval.evidence.results import checked
from gradval.report.markup import html_cell, html_page, latex_text, markdown_table
from gradval.runtime.files import write_text
from gradval.study.names import (
    CONTROLS,
    NON_PRIVATE,
    RELEASED,
    privacy_label,
    privacy_order,
    score_label,
    score_of,
    score_order,
)

EPSILONS = ("epsilon_kept", "epsilon_removed")
CAPTION = "Test accuracy after removing the samples with the largest scores and resuming"
RELEASED_NOTE = (
    "“Released”: the samples with the largest scores as released under differential privacy were "
    "removed. ε covers training, the release of this one score and the choice together."
)
SELECTION_NOTE = (
    "The scores are computed from private data without noise: a selection from raw scores is "
    "itself not private. ε covers the training, not the choice of the removed samples."
)
EMPTY = "–"

Paper = Mapping[tuple[str, str], float]


def table1(runs: pd.DataFrame) -> pd.DataFrame:
    """Compute Table 1, one row a privacy level and removal.

    Args:
        runs: pruned runs of one data set and model; columns dataset, model, privacy, seed, removal,
            train_accuracy and test_accuracy in [0, 1], training_seconds, and optionally
            epsilon_kept and epsilon_removed.

    Returns:
        Columns dataset, model, privacy, removal; test_accuracy (mean, %), test_accuracy_sd, n
        (seeds), test_accuracy_low and _high (95% interval of the mean); difference (test accuracy
        minus that after random removal, points, paired by seed), difference_n, difference_low and
        _high (95% interval), NaN for random removal itself; train_accuracy (mean, %);
        relative_time (training time / that without removal, mean of the ratios of a seed);
        epsilon_kept and epsilon_removed (largest of the seeds) if given. Non-private comes first,
        then ε by value; the paper's scores, others, random and no removal, raw scores before
        released ones.

    Raises:
        ValueError: there is no run, they are of several data sets or models, one occurs twice, a
            column is missing, an accuracy is not in [0, 1], or a privacy level is unknown.
    """
    checked(runs, "runs")
    if runs.empty:
        raise ValueError("Table 1 needs at least one pruned run, got none")
    settings = runs[["dataset", "model"]].drop_duplicates()
    if len(settings) > 1:
        found = ", ".join(settings["dataset"] + "/" + settings["model"])
        raise ValueError(f"Table 1 is of one data set and one model, got {found}")
    rows = [
        {**settings.iloc[0], "privacy": privacy, **row}
        for privacy in privacy_order(runs["privacy"])
        for row in _level(runs[runs["privacy"] == privacy], privacy)
    ]
    return pd.DataFrame(rows)


def _level(runs: pd.DataFrame, privacy: str) -> Iterator[dict[str, str | float]]:
    """The rows of one privacy level."""

    def column(name: str, removal: str) -> pd.Series:
        return by_seed(runs[runs["removal"] == removal], name, f"{removal} at {privacy}")

    random = 100 * column("test_accuracy", "random")
    whole = column("training_seconds", "none")
    for removal in score_order(runs["removal"]):
        accuracy = 100 * column("test_accuracy", removal)
        test = summarise(accuracy)
        # Against itself a difference of exactly zero would look like a result.
        difference = paired_difference(accuracy, random[:0] if removal == "random" else random)
        yield {
            "removal": removal,
            "test_accuracy": test.mean,
            "test_accuracy_sd": test.sd,
            "n": test.n,
            "test_accuracy_low": test.low,
            "test_accuracy_high": test.high,
            "difference": difference.mean,
            "difference_n": difference.n,
            "difference_low": difference.low,
            "difference_high": difference.high,
            "train_accuracy": summarise(100 * column("train_accuracy", removal)).mean,
            "relative_time": summarise(column("training_seconds", removal) / whole).mean,
            **{name: column(name, removal).max() for name in EPSILONS if name in runs},
        }


def paper_table1(claims: pd.DataFrame) -> dict[tuple[str, str], float]:
    """The paper's own values from a claims table: (privacy, removal) -> test accuracy in %."""
    sources = {claim: claim.sources[0] for claim in parse_claims(claims) if claim.kind == "table1"}
    cells = {claim: source.split("/") for claim, source in sources.items()}
    return {(privacy, removal): claim.value for claim, (removal, privacy) in cells.items()}


def render_table1(
    table: pd.DataFrame,
    form: str,
    *,
    paper: Paper | None = None,
    stand_in: str = "",
    caption: str = CAPTION,
    labels: Mapping[str, str] | None = None,
) -> str:
    """Render Table 1.

    Args:
        table: as returned by `table1`.
        form: ``csv`` (long, all columns), ``md``, ``tex`` (a table for booktabs) or ``html``.
        paper: the paper's values (`paper_table1`), shown for comparison.
        stand_in: who plays the paper's parts, as "digits for CIFAR-10"; empty if nobody does.
        caption: the heading.
        labels: names of removals and privacy levels to print in place of those of
            `gradval.study.names`.

    Raises:
        ValueError: the form is unknown.
    """
    if form == "csv":
        return _csv(table, paper, stand_in)
    renderers: Mapping[str, Callable[[Sheet], str]] = {
        "md": _markdown,
        "tex": _latex,
        "html": _html,
    }
    if form not in renderers:
        raise ValueError(f"Table 1 can be rendered as csv, md, tex or html, got {form!r}")
    return renderers[form](_sheet(table, paper, stand_in, caption, labels or {}))


def write_table1(
    table: pd.DataFrame,
    paths: Iterable[str | Path],
    *,
    paper: Paper | None = None,
    stand_in: str = "",
    caption: str = CAPTION,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Write Table 1 to every path, in the form that its suffix names (`render_table1`)."""
    for path in paths:
        form = Path(path).suffix[1:]
        text = render_table1(
            table, form, paper=paper, stand_in=stand_in, caption=caption, labels=labels
        )
        write_text(path, text)


# --- rendering ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Block:
    """Cells of one quantity: a heading, and rows that start with their label."""

    heading: str
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Table 1 as text, before any markup: columns, blocks of rows, notes."""

    caption: str
    header: Sequence[str]
    blocks: Sequence[Block]
    notes: Sequence[str]


def _sheet(
    table: pd.DataFrame,
    paper: Paper | None,
    stand_in: str,
    caption: str,
    labels: Mapping[str, str],
) -> Sheet:
    removals = score_order(score_of(removal)[0] for removal in table["removal"])
    cells = {(row.privacy, row.removal): row for row in table.itertuples()}

    def block(heading: str, text: Callable[[str, str], str]) -> Block:
        rows = []
        for privacy in table["privacy"].unique():
            for suffix, kind in (("", ""), (RELEASED, ", released")):
                texts = [text(privacy, removal + suffix) for removal in removals]
                if set(texts) != {EMPTY}:
                    rows.append([(labels.get(privacy) or privacy_label(privacy)) + kind, *texts])
        return Block(heading, rows)

    def of_table(text: Callable[..., str], *columns: str) -> Callable[[str, str], str]:
        def cell(privacy: str, removal: str) -> str:
            row = cells.get((privacy, removal))
            return EMPTY if row is None else text(*(getattr(row, name) for name in columns))

        return cell

    def of_paper(privacy: str, removal: str) -> str:
        return _fixed((paper or {}).get((privacy, removal), math.nan))

    accuracy = of_table(_with_sd, "test_accuracy", "test_accuracy_sd")
    difference = of_table(_with_interval, "difference", "difference_low", "difference_high")
    blocks = [
        block("Test accuracy (%)", accuracy),
        block("Test accuracy that the paper reports (%)", of_paper),
        block("Difference from random removal (points, 95% confidence interval)", difference),
        block("Train accuracy on the kept samples (%)", of_table(_fixed, "train_accuracy")),
        block("Training time / training time without removal", of_table(_ratio, "relative_time")),
    ]
    if set(EPSILONS) <= set(table.columns):
        heading = "ε spent on kept / on removed samples"
        blocks.append(block(heading, of_table(_epsilons, *EPSILONS)))
    return Sheet(
        caption + (f" (stand-in: {stand_in})" if stand_in else ""),
        ["", *(labels.get(removal) or score_label(removal) for removal in removals)],
        [block for block in blocks if block.rows],
        _notes(table, stand_in),
    )


def _notes(table: pd.DataFrame, stand_in: str) -> list[str]:
    fewest, most = table["n"].min(), table["n"].max()
    seeds = (
        f"{most} seed{'s' if most > 1 else ''}" if fewest == most else f"{fewest} to {most} seeds"
    )
    run = f"Data set {table['dataset'].iloc[0]}, model {table['model'].iloc[0]}"
    notes = [f"{run}; mean" + (" ± standard deviation" if most > 1 else "") + f" over {seeds}."]
    if table["difference_low"].notna().any():
        notes.append("Differences are paired by seed, with Student's t intervals.")
    by_score = table[(table["privacy"] != NON_PRIVATE) & ~table["removal"].isin(CONTROLS)]
    released = by_score["removal"].str.endswith(RELEASED)
    if not released.all():
        notes.append(SELECTION_NOTE)
    if released.any():
        notes.append(RELEASED_NOTE)
    if stand_in:
        notes.append(f"Stand-in: {stand_in}; the numbers cannot be compared with the paper's.")
    return notes


def _fixed(value: float, decimals: int = 1) -> str:
    if math.isnan(value):
        return EMPTY
    # Adding zero turns a rounded -0.0 into 0.0.
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")


def _with_sd(mean: float, sd: float) -> str:
    return _fixed(mean) if math.isnan(sd) else f"{_fixed(mean)} ± {_fixed(sd)}"


def _with_interval(mean: float, low: float, high: float) -> str:
    return _fixed(mean) if math.isnan(low) else f"{_fixed(mean)} [{_fixed(low)}, {_fixed(high)}]"


def _ratio(value: float) -> str:
    return _fixed(value, 2)


def _epsilons(kept: float, removed: float) -> str:
    if math.isnan(kept) and math.isnan(removed):
        return EMPTY
    return f"{_ratio(kept)} / {_ratio(removed)}"


def _csv(table: pd.DataFrame, paper: Paper | None, stand_in: str) -> str:
    full = table.copy()
    if paper:
        cells = zip(full["privacy"], full["removal"], strict=True)
        full["paper"] = [paper.get(cell, math.nan) for cell in cells]
    full["stand_in"] = stand_in
    return str(full.to_csv(index=False, lineterminator="\n"))


def _markdown(sheet: Sheet) -> str:
    header = ["Privacy", *sheet.header[1:]]
    blocks = "".join(
        f"**{block.heading}**\n\n{markdown_table(header, block.rows, header[1:])}\n"
        for block in sheet.blocks
    )
    return f"# {sheet.caption}\n\n{blocks}" + "".join(f"- {note}\n" for note in sheet.notes)


def _html(sheet: Sheet) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        texts = (html_cell(text, i > 0, tag) for i, text in enumerate(cells))
        return f"<tr>{''.join(texts)}</tr>\n"

    blocks = "".join(
        f'<tbody>\n<tr><th class="block" colspan="{len(sheet.header)}">'
        f"{html.escape(block.heading)}</th></tr>\n"
        f"{''.join(row(cells, 'td') for cells in block.rows)}</tbody>\n"
        for block in sheet.blocks
    )
    notes = "".join(f"<li>{html.escape(note)}</li>\n" for note in sheet.notes)
    table = f"<table>\n<thead>{row(sheet.header, 'th')}</thead>\n{blocks}</table>\n"
    return html_page(sheet.caption, f"{table}<ul>\n{notes}</ul>\n")


def _latex(sheet: Sheet) -> str:
    def row(cells: Sequence[str]) -> str:
        return " & ".join(map(latex_text, cells)) + r" \\" + "\n"

    width = len(sheet.header)
    blocks = "\\addlinespace\n".join(
        f"\\multicolumn{{{width}}}{{l}}{{\\emph{{{latex_text(block.heading)}}}}} \\\\\n"
        f"{''.join(row(cells) for cells in block.rows)}"
        for block in sheet.blocks
    )
    return (
        "% Needs \\usepackage{booktabs}.\n"
        "\\begin{table*}\n\\centering\\footnotesize\\setlength{\\tabcolsep}{3pt}\n"
        f"\\caption{{{latex_text(sheet.caption)}.}}\n\\label{{tab:removal}}\n"
        f"\\begin{{tabular}}{{l{'r' * (width - 1)}}}\n\\toprule\n"
        f"{row(sheet.header)}\\midrule\n{blocks}\\bottomrule\n\\end{{tabular}}\n"
        f"\\par\\medskip\\parbox{{0.95\\linewidth}}{{{latex_text(' '.join(sheet.notes))}}}\n"
        "\\end{table*}\n"
    )
