"""What a study cost each data set: each private run, their sum, and what they compose to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from gradval.privacy.accountants import Event
from gradval.privacy.events import Events, PlainTraining, PublicModel
from gradval.privacy.study_cost import composed
from gradval.report.labels import accountant_label
from gradval.report.tables import Block, Column, Table
from gradval.study.names import dataset_label, model_label, privacy_label

TITLE = "What the whole study cost"
INTRO = (
    "Every model and release of a data set tells more of the same people. Runs of one kind execute "
    "the same; what they and all of a data set compose to is computed by the accountant, and is "
    "less than the sum of their epsilons."
)
NOTES = (
    "Counted for whoever takes part in everything: a sample that was removed before a second "
    "phase, or a canary's place, is charged it too. First phases are counted once, although "
    "several second phases go on from each.",
    "Not in it: models trained without privacy; choices made from raw scores, and all other raw "
    "scores; exact losses and accuracies on training images (metrics.csv, summary.json); private "
    "images in figures; hyper-parameters that were tuned on the data; what a federation spends, "
    "which its own ledgers state.",
)
KINDS = {
    "full": "full",
    "first": "first phase",
    "pruned": "second phase",
    "released": "release",
    "audit": "audit",
}


@dataclass(frozen=True)
class Spent:
    """What one job executed beyond what came before it.

    Attributes:
        dataset, model, privacy: of its run.
        kind: a key of `KINDS`.
        unit: whose contribution its noise hides.
        events: that it executed itself.
    """

    dataset: str
    model: str
    privacy: str
    kind: str
    unit: str
    events: tuple[Event, ...]

    @classmethod
    def of(cls, key: Mapping[str, str | int], kind: str, events: Events) -> "Spent":
        """From a file of events, which repeats those of earlier phases.

        Args:
            key: data set, model and privacy level (`gradval.study.names.run_key`).
            kind: a key of `KINDS`; what came before a second phase or a release is not its own.
            events: all private.
        """
        found = [e for e in events.events if not isinstance(e, PlainTraining | PublicModel)]
        if kind == "pruned":
            found = found[-1:]
        elif kind == "released":
            found = found[1:]
        return cls(
            dataset=str(key["dataset"]),
            model=str(key["model"]),
            privacy=str(key["privacy"]),
            kind=kind,
            unit=found[-1].unit,
            events=tuple(event.accounted() for event in found),
        )


def cost_rows(spent: Iterable[Spent], deltas: Mapping[str, float], accountant: str) -> pd.DataFrame:
    """One row for each kind of run, and one (`all`) for each data set.

    Args:
        spent: of every run.
        deltas: of each data set.
        accountant: as in `gradval.privacy.accountants.epsilon`.

    Returns:
        dataset, model, privacy, kind, unit, runs, epsilon (of the costliest run), sum and
        composed epsilon of all runs of the row, delta.
    """
    parts: dict[tuple[str, ...], list[Spent]] = {}
    totals: dict[tuple[str, ...], list[Spent]] = {}
    for run in spent:
        parts.setdefault((run.dataset, run.model, run.privacy, run.kind), []).append(run)
        totals.setdefault((run.dataset, "", "", "all"), []).append(run)
    names = ("dataset", "model", "privacy", "kind")
    rows = [
        {**dict(zip(names, key, strict=True)), **_cost(runs, deltas[key[0]], accountant)}
        for key, runs in (*parts.items(), *totals.items())
    ]
    return pd.DataFrame(rows)


def _cost(runs: Sequence[Spent], delta: float, accountant: str) -> dict[str, float | int | str]:
    units = sorted({run.unit for run in runs})
    if len(units) > 1:
        raise ValueError(
            f"results of {runs[0].dataset} have different units ({' and '.join(units)}), which do "
            "not compose: make those of the other privacy.unit elsewhere"
        )
    each = [composed(run.events, delta, accountant) for run in runs]
    everything = [event for run in runs for event in run.events]
    return {
        "unit": units[0],
        "runs": len(runs),
        "epsilon": max(each),
        "sum": sum(each),
        "composed": composed(everything, delta, accountant),
        "delta": delta,
    }


def cost_table(
    rows: pd.DataFrame,
    accountant: str = "",
    budgets: Mapping[str, float | None] | None = None,
    notice: str = "",
) -> Table:
    """`cost_rows` for readers: a block a data set.

    Args:
        rows: of `cost_rows`.
        accountant: that composed; empty if it is not to be named.
        budgets: of each data set, `None` for none; nothing is said of them without.
        notice: what must be said of the noise, empty for nothing.
    """
    columns = ["run", "model", "privacy"]
    label = accountant_label(accountant)
    by = f" ({label})" if label else ""
    numbers = ["runs", "largest ε of one", "sum of ε", f"composed ε{by}"]
    blocks = []
    for name, of_dataset in rows.groupby("dataset", sort=False):
        frame = pd.DataFrame(
            [
                [
                    "everything" if row.kind == "all" else KINDS[str(row.kind)],
                    model_label(str(row.model)),
                    privacy_label(str(row.privacy)) if row.privacy else "",
                    str(row.runs),
                    f"{row.epsilon:.3f}",
                    f"{row.sum:.3f}",
                    f"{row.composed:.3f}",
                ]
                for row in of_dataset.itertuples()
            ],
            columns=[*columns, *numbers],
        )
        first, budget = of_dataset.iloc[0], (budgets or {}).get(str(name))
        limit = f", budget ε = {budget:g}" if budget is not None else ", no budget"
        heading = f"{dataset_label(str(name))}: a {first['unit']}, δ = {first['delta']:g}"
        heading += "" if budgets is None else limit
        blocks.append(Block(frame, heading))
    listed = [Column(name) for name in columns] + [Column(name, "number") for name in numbers]
    notes = [*NOTES, notice] if notice else NOTES
    return Table(TITLE, listed, blocks, notes, intro=INTRO)
