"""Tables and figure of the measurements in `docs/performance/`, for docs/performance.md.

    python benchmarks/write_page.py

Writes `docs/performance/results.md`, `score_speed.png` and `scaling.png` from the CSV files that
the other programs left there; what was not measured is left out.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from measurement import RESULTS

from gradval.report.figures import save_figure, style
from gradval.runtime.files import write_text
from gradval.study.names import model_label

TITLES = {
    "score_speed": "Scores, in plain training steps on the same batch",
    "private_step_speed": "A DP-SGD step by every way of clipping, in plain training steps",
    "whole_cost": "All four scores beside the DP training that they value, a sample",
    "free_scores": "Training steps that collect free scores",
    "norms": "Scoring with BatchNorm and with GroupNorm",
    "models_tried": "Models as they come, against a loop over samples in float64",
    "start_up": "Jobs of a small study, from their start to their first useful line",
    "scaling": "All four scores of real CIFAR-10 images by a narrow ResNet-9",
}
# Method -> label and colour (Okabe and Ito).
METHODS = {
    "vog": ("VoG, a checkpoint", "#0072B2"),
    "norm": ("loss + gradient norm", "#56B4E9"),
    "plis": ("loss + gradient norm + PLIS", "#009E73"),
    "datagnosis vog": ("Datagnosis: VoG", "#E69F00"),
    "opacus norm": ("Opacus hooks: gradient norm", "#CC79A7"),
    "vmap plis": ("vmap: PLIS", "#D55E00"),
}


def section(name: str) -> str:
    """Title, machine, figure and table of one file of measurements."""
    machine = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    table = pd.read_csv(RESULTS / f"{name}.csv")
    if "model" in table and name != "models_tried":
        table["model"] = table["model"].map(model_label)
    facts = ", ".join(f"{key} {value}" for key, value in machine.items())
    text = table.astype(object).where(table.notna(), "").to_markdown(index=False)
    figure = f"![{TITLES[name]}]({name}.png)\n\n" if name in PLOTS else ""
    return f"## {TITLES[name]}\n\nMachine: {facts}.\n\n{figure}{text}\n"


@style()
def plot_scaling(table: pd.DataFrame) -> Figure:
    """Time and peak memory against the number of images."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    time, memory = figure.subplots(1, 2)
    slope, _ = np.polyfit(np.log(table["images"]), np.log(table["seconds"]), 1)
    time.loglog(table["images"], table["seconds"], "o-", color="#0072B2")
    time.set_title(f"Time: slope {slope:.2f} (1 is linear)")
    time.set_ylabel("seconds")
    for column, label, colour in (
        ("peak_anonymous_mib", "the process's own", "#009E73"),
        ("peak_resident_mib", "with mapped files (libraries, images)", "#E69F00"),
    ):
        memory.semilogx(table["images"], table[column], "o-", color=colour, label=label)
    memory.set_title("Peak memory of a fresh process")
    memory.set_ylabel("MiB")
    memory.set_ylim(bottom=0)
    memory.legend()
    for axes in (time, memory):
        axes.set_xticks(table["images"], [f"{count:,}" for count in table["images"]])
        axes.minorticks_off()
        axes.set_xlabel("images")
        axes.grid()
    return figure


@style()
def plot_score_speed(table: pd.DataFrame) -> Figure:
    """Bars of time and memory of every method, for each model and batch."""
    keys = ["image_size", "batch", "model"]
    table = table.sort_values("image_size", kind="stable")
    cases = list(dict.fromkeys(table[keys].itertuples(index=False, name=None)))
    figure = Figure(figsize=(15, 9), layout="constrained")
    time, memory = figure.subplots(2, sharex=True)
    for axes, column, form in ((time, "plain_steps", "%.1f"), (memory, "peak_mib", "%.0f")):
        _bars(axes, table, cases, keys, column, form)
    time.axhline(1, color="#606060", linewidth=0.8, linestyle="--")
    time.set_ylabel("time in plain training steps")
    time.set_title("Scores on the same model and batch (a plain training step is 1)")
    time.legend(ncols=3, loc="upper right")
    memory.set_yscale("log")
    memory.set_ylabel("peak memory above the start, MiB")
    memory.margins(y=0.15)
    labels = [f"{model_label(model)}\n{size} px\nbatch {batch}" for size, batch, model in cases]
    memory.set_xticks(range(len(cases)), labels, fontsize=11)
    return figure


def _bars(
    axes: Axes,
    table: pd.DataFrame,
    cases: list[tuple[Any, ...]],
    keys: list[str],
    column: str,
    form: str,
) -> None:
    width = 0.84 / len(METHODS)
    for number, (method, (label, colour)) in enumerate(METHODS.items()):
        rows = table[table["method"].str.split(",").str[0] == method]
        places = [cases.index(case) for case in rows[keys].itertuples(index=False, name=None)]
        bars = axes.bar(
            [place + (number - (len(METHODS) - 1) / 2) * width for place in places],
            rows[column],
            width,
            label=label,
            color=colour,
        )
        axes.bar_label(bars, fmt=form, fontsize=9, rotation=90, padding=2)
    axes.margins(x=0.01, y=0.12)


PLOTS: dict[str, Callable[[pd.DataFrame], Figure]] = {
    "score_speed": plot_score_speed,
    "scaling": plot_scaling,
}


def main() -> None:
    """Write the page's tables and figures."""
    parts = [section(name) for name in TITLES if (RESULTS / f"{name}.csv").exists()]
    head = "# Measurements\n\nWritten by `benchmarks/write_page.py`.\n"
    write_text(RESULTS / "results.md", "\n".join([head, *parts]))
    for name, plot in PLOTS.items():
        if (RESULTS / f"{name}.csv").exists():
            save_figure(plot(pd.read_csv(RESULTS / f"{name}.csv")), RESULTS / f"{name}.png")


if __name__ == "__main__":
    main()
