"""What each part of a private recipe brings: trains `config/recipe-study.yaml`, writes a page.

    python benchmarks/recipe_study.py --data cifar10.tar

The workflow itself trains; a run that is there is not trained again. Writes `results.csv` (every
run), `results.md` and `recipes.png` to `docs/recipes/`.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from matplotlib.figure import Figure
from measurement import processor
from snakemake.utils import update_config

from gradval.privacy.events import read_events
from gradval.report.figures import save_figure, style
from gradval.runtime.files import atomic_path, read_json, write_text
from gradval.study.config import validate
from gradval.study.experiments import recipe, settings

ROOT = Path(__file__).parents[1]
OVERLAY = ROOT / "config" / "recipe-study.yaml"
RESULTS = ROOT / "docs" / "recipes"
BASE = "base"
# Enough to see that everything runs.
QUICK = {"train_images": 100, "test_images": 100}


def load_config() -> dict[str, Any]:
    """The default config with the study's overlay."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    update_config(config, yaml.safe_load(OVERLAY.read_text(encoding="utf-8")))
    return config


def run_folders(config: Mapping[str, Any]) -> dict[tuple[str, int], Path]:
    """Variant and seed -> folder of the run."""
    return {
        (setting.model, seed): Path(
            *("results", setting.dataset, setting.model, setting.privacy),
            *(f"seed{seed}", "draw0", "full"),
        )
        for setting in settings(validate(config))
        for seed in config["grid"]["seeds"]
    }


def train(folders: list[Path], options: Mapping[str, Any], cores: int, directory: Path) -> None:
    """Let the workflow train the runs, as many at a time as there are cores."""
    given = directory.resolve() / "recipe-study.yaml"
    write_text(given, yaml.safe_dump(dict(options)))
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile"]
    command += ["--directory", directory, "--cores", cores, "--configfile", OVERLAY, given, "--"]
    targets = [folder / "summary.json" for folder in folders]
    failed = subprocess.run(list(map(str, [*command, *targets]))).returncode
    if failed:
        sys.exit(failed)


def change(config: Mapping[str, Any], variant: str) -> str:
    """How a variant differs from the base, in the config's own words."""
    study = validate(config)

    def resolved(model: str) -> dict[str, Any]:
        (setting,) = (s for s in settings(study) if s.model == model)
        options = study.models[model].options()
        return options | recipe(study, setting.dataset, model, setting.privacy)

    base = resolved(BASE)
    differing = {k: v for k, v in resolved(variant).items() if base.get(k) != v}
    return ", ".join(f"{k} {json.dumps(v)}".replace('"', "") for k, v in differing.items())


def collect(config: Mapping[str, Any], directory: Path) -> pd.DataFrame:
    """One row a run: accuracies in percent, noise, steps, seconds, and the distance to the base.

    Seconds are processor time of the job, so that they do not depend on what else is running.
    """
    rows = []
    for (variant, seed), folder in run_folders(config).items():
        summary = read_json(directory / folder / "summary.json")
        (event,) = read_events(directory / folder / "events.json").events
        rows.append(
            {
                "variant": variant,
                "change": change(config, variant),
                "seed": seed,
                "test_accuracy": 100 * summary["test_accuracy"],
                "train_accuracy": 100 * summary["train_accuracy"],
                "noise_multiplier": event.noise_multiplier,
                "steps": event.steps,
                "processor_seconds": processor_seconds(directory, folder),
            }
        )
    table = pd.DataFrame(rows)
    base = table[table["variant"] == BASE].set_index("seed")
    table["gain"] = table["test_accuracy"] - table["seed"].map(base["test_accuracy"])
    table["time"] = table["processor_seconds"] / table["seed"].map(base["processor_seconds"])
    return table.round(4)


def processor_seconds(directory: Path, folder: Path) -> float:
    """What Snakemake measured of the job that trained a run."""
    path = directory / "logs" / "train_model" / folder.relative_to("results").with_suffix(".jsonl")
    last = path.read_text(encoding="utf-8").splitlines()[-1]
    return float(json.loads(last)["cpu_time"])


def summary_of(table: pd.DataFrame) -> pd.DataFrame:
    """One row a variant: means over seeds, and the range of the gains."""
    rows = []
    for variant, runs in table.groupby("variant", sort=False):
        gains = runs["gain"]
        spread = f"{gains.mean():+.1f} ({gains.min():+.1f} to {gains.max():+.1f})"
        rows.append(
            {
                "variant": variant,
                "change": runs["change"].iloc[0],
                "test accuracy, %": f"{runs['test_accuracy'].mean():.1f}",
                "gain, points (seeds)": spread if variant != BASE else "",
                "noise multiplier": f"{runs['noise_multiplier'].iloc[0]:.3f}",
                "steps": runs["steps"].iloc[0],
                "time": f"{runs['time'].mean():.1f}",
            }
        )
    return pd.DataFrame(rows)


@style()
def plot(table: pd.DataFrame) -> Figure:
    """Gain of every variant over the base: a dot a seed, a bar for the mean."""
    table = table[table["variant"] != BASE]
    means = table.groupby("variant")["gain"].mean().sort_values()
    figure = Figure(figsize=(11, 5.5), layout="constrained")
    axes = figure.subplots()
    axes.barh(means.index, means, color="#56B4E9", label="mean over seeds")
    axes.scatter(table["gain"], table["variant"], color="#0072B2", zorder=3, label="a seed")
    axes.axvline(0, color="#606060", linewidth=0.8)
    axes.set_xlabel("gain in test accuracy over the base recipe, in points")
    axes.set_title("One change of the base recipe at a time, CIFAR-10 subset, ε = 8")
    axes.legend(loc="upper left")
    return figure


def write_page(table: pd.DataFrame, config: Mapping[str, Any], folder: Path) -> None:
    """Write the runs, the summary and the figure."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "results.csv") as temporary:
        table.to_csv(temporary, index=False)
    (dataset,) = config["grid"]["datasets"]
    block = config["datasets"][dataset]
    origin = (
        f"{block['train_images']} CIFAR-10 images of `{Path(block['path']).name}`, ε = 8, "
        f"δ = {block['delta']:g}, seeds {', '.join(map(str, config['grid']['seeds']))}"
    )
    text = (
        "# Private recipes, one change at a time\n\n"
        "Written by `benchmarks/recipe_study.py` from `config/recipe-study.yaml`, which holds the "
        f"base recipe. {origin}. Gains are paired by seed. Time is processor time of the job, "
        f"start and evaluations included, in runs of the base ({processor()}, torch "
        f"{version('torch')}).\n\n"
        f"{summary_of(table).to_markdown(index=False, disable_numparse=True)}\n\n"
        "![Gain of each change](recipes.png)\n"
    )
    write_text(folder / "results.md", text)
    save_figure(plot(table), folder / "recipes.png")


def main() -> None:
    """Train what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="CIFAR-10: archive or folder")
    parser.add_argument("--cores", type=int, default=2, help="runs at a time")
    parser.add_argument("--directory", type=Path, default=Path.cwd(), help="where runs are kept")
    parser.add_argument("--only", nargs="+", help="these variants, and the base")
    parser.add_argument("--quick", type=Path, help="a minute's trial, its page in this folder")
    arguments = parser.parse_args()
    config = load_config()
    (dataset,) = config["grid"]["datasets"]
    block = {"path": str(arguments.data.resolve()), **(QUICK if arguments.quick else {})}
    options: dict[str, Any] = {"datasets": {dataset: block}}
    grid = options["grid"] = {}
    if arguments.quick:
        grid["seeds"] = [0]
    if arguments.only:
        grid["models"] = [BASE, *arguments.only]
    update_config(config, options)
    arguments.directory.mkdir(parents=True, exist_ok=True)
    folders = list(run_folders(config).values())
    train(folders, options, arguments.cores, arguments.directory)
    write_page(collect(config, arguments.directory), config, arguments.quick or RESULTS)


if __name__ == "__main__":
    main()
