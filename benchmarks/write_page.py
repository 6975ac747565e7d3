"""Tables and figure of the measurements in `docs/performance/`, for docs/performance.md.

    python benchmarks/write_page.py

Writes `docs/performance/results.md` and `score_speed.png` from the CSV files that the other
programs left there.
"""

import json

import pandas as pd
from matplotlib.figure import Figure
from measurement import RESULTS

from gradval.figures import model_label, save_figure, style
from gradval.files import write_text

TITLES = {
    "score_speed": "Scores, in plain training steps on the same batch",
    "private_step_speed": "A DP-SGD step by every way of clipping, in plain training steps",
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
    """Title, machine and table of one file of measurements."""
    machine = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    table = pd.read_csv(RESULTS / f"{name}.csv")
    if "model" in table:
        table["model"] = table["model"].map(model_label)
    facts = ", ".join(f"{key} {value}" for key, value in machine.items())
    text = table.astype(object).where(table.notna(), "").to_markdown(index=False)
    return f"## {TITLES[name]}\n\nMachine: {facts}.\n\n{text}\n"


@style()
def plot(table: pd.DataFrame) -> Figure:
    """Bars of every method for each model and batch that has them."""
    table = table.dropna(subset=["plain_steps"])
    table = table[table["method"] != "plain step"]
    keys = ["model", "image_size", "batch"]
    cases = list(dict.fromkeys(table[keys].itertuples(index=False, name=None)))
    figure = Figure(figsize=(11, 5.5), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(METHODS)
    for number, (method, (label, colour)) in enumerate(METHODS.items()):
        rows = table[table["method"].str.split(",").str[0] == method]
        places = [cases.index(case) for case in rows[keys].itertuples(index=False, name=None)]
        bars = axes.bar(
            [place + (number - (len(METHODS) - 1) / 2) * width for place in places],
            rows["plain_steps"],
            width,
            label=label,
            color=colour,
        )
        axes.bar_label(bars, fmt="%.1f", fontsize=10, rotation=90, padding=2)
    labels = [f"{model_label(m)}\n{size} px\nbatch {batch}" for m, size, batch in cases]
    axes.set_xticks(range(len(cases)), labels)
    axes.set_ylabel("plain training steps")
    axes.axhline(1, color="#606060", linewidth=0.8, linestyle="--")
    axes.margins(x=0.01, y=0.12)
    axes.set_title("Cost of the scores on the same model and batch (a plain training step is 1)")
    axes.legend(ncols=2, loc="upper right")
    return figure


def main() -> None:
    """Write the page's tables and figure."""
    parts = [section(name) for name in TITLES if (RESULTS / f"{name}.csv").exists()]
    head = "# Measurements\n\nWritten by `benchmarks/write_page.py`.\n"
    write_text(RESULTS / "results.md", "\n".join([head, *parts]))
    save_figure(plot(pd.read_csv(RESULTS / "score_speed.csv")), RESULTS / "score_speed.png")


if __name__ == "__main__":
    main()
