"""What it costs to collect free scores while training.

    python benchmarks/free_scores.py [--quick]

A training step that observes and takes up what it sees, against the same step that does not, in
turns on the same batch. What counts is the ratio of two neighbouring steps; the table holds the
median over the rounds and the interquartile range. Writes `docs/performance/free_scores.csv`. Takes
five minutes on two cores.
"""

import argparse
import statistics
from typing import NamedTuple

import torch
from measurement import Run, interleaved_rounds, report
from private_step_speed import make_step

from gradval.models.architectures import build_model
from gradval.training.free_scores import FreeScores

IMAGES = 50_000
CLASSES = 10


class Case(NamedTuple):
    """A model, its images, a physical batch, and rounds that count."""

    architecture: str
    width: int
    channels: int
    image_size: int
    batch: int
    rounds: int


CASES = (
    Case("resnet9", 64, 3, 32, 64, 15),
    Case("resnet18", 64, 3, 32, 64, 15),
    # The models of config/cifar10-small.yaml and of config.yaml.
    Case("resnet9", 16, 3, 32, 256, 15),
    Case("resnet9", 8, 1, 8, 256, 40),
    Case("resnet18", 8, 1, 8, 256, 40),
)
QUICK = (Case("resnet9", 8, 1, 8, 64, 5),)


def training_step(case: Case, way: str | None, observe: bool) -> Run:
    """A step of one physical batch; `way` of clipping is `None` without privacy."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(
        case.architecture,
        channels=case.channels,
        classes=CLASSES,
        image_size=case.image_size,
        width=case.width,
        groups=8,
        seed=0,
    ).to(device)
    shape = (case.channels, case.image_size, case.image_size)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((case.batch, *shape), generator=generator).to(device)
    labels = (torch.arange(case.batch) % CLASSES).to(device)
    indices = torch.randperm(IMAGES, generator=generator)[: case.batch].sort().values
    kind = make_step(model, case.batch, way, observe=observe)
    free = FreeScores((IMAGES, *shape), private=way is not None, device=device) if observe else None

    def run() -> None:
        seen = kind.accumulate(images, labels)
        if free is not None:
            free.observe(indices, seen)
        kind.update()

    return run


def measure(case: Case, way: str | None) -> dict[str, object]:
    """One row for a model and a kind of training."""
    runs = {name: training_step(case, way, name == "free") for name in ("plain", "free")}
    rounds = interleaved_rounds(runs, case.rounds)
    pairs = zip(rounds["free"], rounds["plain"], strict=True)
    overheads = [100 * (free / plain - 1) for free, plain in pairs]
    low, middle, high = statistics.quantiles(overheads, n=4)
    return {
        "model": case.architecture,
        "width": case.width,
        "image_size": case.image_size,
        "batch": case.batch,
        "training": "non-private" if way is None else "DP-SGD",
        "step_seconds": round(statistics.median(rounds["plain"]), 4),
        "overhead_percent": round(middle, 1),
        "quartiles": f"{low:.1f} to {high:.1f}",
    }


def main() -> None:
    """Measure every case and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one small case, nothing written")
    quick = parser.parse_args().quick
    rows = (
        measure(case, way) for case in (QUICK if quick else CASES) for way in (None, "bookkeeping")
    )
    report("free_scores", rows, write=not quick)


if __name__ == "__main__":
    main()
