"""What no table of a study says: what its figures and claims are about, and how it was made."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from gradval.study import experiments
from gradval.study.config import Study
from gradval.study.experiments import Figure
from gradval.study.names import dataset_label
from gradval.study.paper import Paper

LIBRARIES = (
    "gradval",
    "torch",
    "opacus",
    "dp-accounting",
    "opendp",
    "snakemake",
    "numpy",
    "pandas",
)
EACH = "each"


def shows_images(figure: Figure) -> bool:
    """Whether samples of the data set can be seen on a figure."""
    return figure.kind != "agreement"


def study_facts(
    study: Study, paper: Paper, shown: Iterable[str], figures: Mapping[str, Figure]
) -> dict[str, Any]:
    """What a config says about the page of its study.

    Args:
        study, paper: what is studied, and what it is held against.
        shown: names of the figures on the page, in order.
        figures: all that are drawn.

    Returns:
        Arguments of `gradval.report.study_page.material.Facts` as plain values, without how the
        study was made.
    """
    grid = study.grid
    noise = [seeded_sentence()] if experiments.seeds_noise(study) else []
    return {
        "subtitle": "Gradient-based data valuation under differential privacy: "
        + ", ".join(map(dataset_label, grid.datasets)),
        "k": study.selection.k,
        "figures": {
            name: {
                "title": figures[name].title,
                "comparisons": [comparison.name for comparison in figures[name].comparisons],
                "images": shows_images(figures[name]),
            }
            for name in shown
        },
        "claims": {claim["id"]: _claim(claim) for claim in paper.claims},
        "notices": noise,
        "private": [name for name in grid.datasets if experiments.images_notice(study, name)],
        "config": yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False, width=100),
    }


def seeded_sentence() -> str:
    """What is to be said of every ε of a study with seeded noise, in short."""
    return (
        "Noise was drawn from seeds, so that the study can be repeated: each ε is what the same "
        "training promises with secret noise."
    )


def _claim(claim: Mapping[str, str]) -> dict[str, Any]:
    scores = dict.fromkeys(claim[name] for name in ("score_a", "score_b"))
    return {
        "scores": [score for score in scores if score and score != EACH],
        "sources": claim["source"].split("|"),
        "kind": claim["kind"],
    }


def made_by(checkout: Path) -> dict[str, str]:
    """How and where this process makes a study: commit, versions, machine, time.

    Args:
        checkout: the folder of the code.
    """
    found = {"Made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")}
    commit = _commit(checkout)
    if commit:
        found["Commit"] = commit
    found["Machine"] = f"{_processor()}, {os.cpu_count()} cores, {platform.system()}"
    found["Python"] = platform.python_version()
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _commit(checkout: Path) -> str:
    """The commit of the code, and whether it was changed since; empty if it is not known."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(checkout), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        return f"{commit}, changed since" if git("status", "--porcelain", "-uno") else commit
    except (OSError, subprocess.CalledProcessError):
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def costs_of(logs: Path) -> list[dict[str, Any]]:
    """What jobs cost, from the benchmark files beside their logs: one row a rule, dearest first.

    Returns:
        rule, jobs, minutes (of the wall, all jobs), memory_mb (the most that a job held).
    """
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(logs.rglob("*.jsonl")):
        rule = path.relative_to(logs).with_suffix("").parts[0]
        row = found.setdefault(rule, {"rule": rule, "jobs": 0, "minutes": 0.0, "memory_mb": 0.0})
        try:
            records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            for record in records[-1:]:
                row["jobs"] += 1
                row["minutes"] += float(record["s"]) / 60
                row["memory_mb"] = max(row["memory_mb"], float(record["max_rss"] or 0))
        except (ValueError, KeyError, TypeError):
            continue  # a job that was killed while it wrote
    return sorted((row for row in found.values() if row["jobs"]), key=lambda row: -row["minutes"])
