"""Measure what a plain training step costs on one CPU core, for the cost model.

Writes `src/gradval/study/costs.csv`, from which `gradval.study.cost` scales everything else. What
counts is processor time, the best of a few steps, so that other programs disturb it little. It
takes three minutes:

    OMP_NUM_THREADS=1 python benchmarks/measure_costs.py
"""

import argparse
import csv
import time
from pathlib import Path

import torch
from measurement import processor
from torch import nn
from torch.nn import functional as F

from gradval.models.architectures import ARCHITECTURES, build_model, parameter_count
from gradval.runtime.files import atomic_path
from gradval.scores.batching import saved_bytes
from gradval.study.cost import COSTS_FILE, Unit

# Image size -> batch: larger ones are hardly faster a sample, and take longer.
BATCHES = {32: 16, 224: 2}
STEPS = 3
CLASSES = 10


def measure(architecture: str, image_size: int, batch: int) -> Unit:
    """What one sample of a plain float32 step of the full-width model costs."""
    model = build_model(
        architecture, channels=3, classes=CLASSES, image_size=image_size, seed=0
    ).train()
    images = torch.randn(batch, 3, image_size, image_size)
    labels = torch.arange(batch) % CLASSES
    times = []
    for _ in range(STEPS):
        start = time.process_time()
        _step(model, images, labels)
        times.append(time.process_time() - start)
    return Unit(
        architecture=architecture,
        image_size=image_size,
        parameters=parameter_count(model),
        activation_mib=round(saved_bytes(model, images[:1]) / 2**20, 2),
        seconds=round(min(times) / batch, 5),
    )


def _step(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    model.zero_grad()
    F.cross_entropy(model(images), labels).backward()


def main() -> None:
    """Measure every architecture at every size and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=COSTS_FILE)
    output = parser.parse_args().output
    torch.set_num_threads(1)
    units = []
    for image_size, batch in BATCHES.items():
        for architecture in ARCHITECTURES:
            units.append(measure(architecture, image_size, batch))
            print(units[-1], flush=True)
    with atomic_path(output) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f"# One core of {processor()}, float32, torch {torch.__version__}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Unit._fields)
        writer.writerows(units)


if __name__ == "__main__":
    main()
