"""Seconds from the start of each job of a small study to its first useful line, rule by rule.

Runs the study of the workflow's tests in a temporary folder twice, the second time with the
bytecode that the first has left, as in any study after its first jobs. What is printed and kept in
docs/performance/start_up.csv is of the second run: processor seconds before the body of the script
begins (interpreter and imports), and seconds of the whole job, each the median over a rule's jobs.

    python benchmarks/start_up.py
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median

from measurement import write_results

ROOT = Path(__file__).parents[1]
PARTS = (
    *("Snakefile", "config.yaml", "envs", "paper", "profiles", "src", "workflow"),
    "tests/workflow",
)
STARTED = re.compile(r"^started within ([\d.]+) s", re.MULTILINE)


def run_study(folder: Path) -> None:
    """The study from nothing, one job at a time, so that jobs do not slow each other down."""
    for name in ("results", "resources", "logs"):
        shutil.rmtree(folder / name, ignore_errors=True)
    subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "rules"),
            *("--configfile", "tests/workflow/config.yaml"),
        ],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def times(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Rule -> start-up and whole time in seconds of each of its jobs."""
    found = defaultdict(list)
    for log in sorted((folder / "logs").rglob("*.log")):
        match = STARTED.search(log.read_text(encoding="utf-8"))
        assert match, f"{log} does not say when the job started"
        whole = json.loads(log.with_suffix(".jsonl").read_text().splitlines()[0])["s"]
        rule = log.relative_to(folder / "logs").with_suffix("").parts[0]
        found[rule].append((float(match[1]), whole))
    return found


def main() -> None:
    """Run and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, folder / part, ignore=ignored)
            elif source.exists():
                shutil.copy(source, folder / part)
        run_study(folder)
        run_study(folder)
        rows = []
        for rule, jobs in sorted(times(folder).items()):
            start, whole = (round(median(column), 2) for column in zip(*jobs, strict=True))
            rows.append({"rule": rule, "jobs": len(jobs), "start_up_s": start, "whole_s": whole})
            print(f"{rule:<24}{len(jobs):>5}{start:>10.2f}{whole:>8.2f}", flush=True)
        write_results("start_up", rows)


if __name__ == "__main__":
    main()
