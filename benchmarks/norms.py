"""Scoring with BatchNorm beside scoring with GroupNorm, in plain training steps of the same model.

    python benchmarks/norms.py [--quick]

Writes `docs/performance/norms.csv`: for ResNets of either norm, plain steps that loss, gradient
norm and PLIS together cost, and a checkpoint of VoG. All runs of a model take turns; a ratio is the
median over rounds of the ratio within the round. Times are those of the process, so that what
else runs does not count.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from measurement import Run, interleaved_rounds, report
from torch import nn
from torch.nn import functional as F
from torchvision.models import resnet18, resnet50

from gradval.ghost import input_gradients, sample_gradients
from gradval.models.layers import group_norm

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "GroupNorm": partial(group_norm, groups=32),
    "BatchNorm": nn.BatchNorm2d,
}
Case = tuple[str, Callable[..., nn.Module], int, int]
# Name, builder, pixels a side, batch.
CASES: tuple[Case, ...] = (
    ("resnet18", resnet18, 32, 16),
    ("resnet18", resnet18, 64, 8),
    ("resnet50", resnet50, 32, 8),
)
REPEATS = 7
CLASSES = 10


def runs(build: Callable[..., nn.Module], norm: str, image_size: int, batch: int) -> dict[str, Run]:
    """A plain step in training mode, and scoring in evaluation mode, by name."""
    torch.manual_seed(0)
    model = build(norm_layer=NORMS[norm], num_classes=CLASSES)
    images = torch.randn(batch, 3, image_size, image_size)
    labels = torch.arange(batch) % CLASSES
    parameters = list(model.parameters())

    def step() -> object:
        model.train()
        return torch.autograd.grad(F.cross_entropy(model(images), labels), parameters)

    def plis() -> object:
        return sample_gradients(model.eval(), images, labels, order=2)

    def vog() -> object:
        return input_gradients(model.eval(), images, labels, "loss")

    return {f"{norm} step": step, f"{norm} plis": plis, f"{norm} vog": vog}


def measure(case: Case, repeats: int) -> Iterator[dict[str, object]]:
    """One row a norm."""
    name, build, image_size, batch = case
    together = {k: v for norm in NORMS for k, v in runs(build, norm, image_size, batch).items()}
    rounds = interleaved_rounds(together, repeats, time.process_time)
    for norm in NORMS:
        row: dict[str, object] = {
            "model": name,
            "image_size": image_size,
            "batch": batch,
            "norm": norm,
            "step_cpu_seconds": round(statistics.median(rounds[f"{norm} step"]), 4),
        }
        for score in ("plis", "vog"):
            pairs = zip(rounds[f"{norm} {score}"], rounds[f"{norm} step"], strict=True)
            row[f"{score}_plain_steps"] = round(statistics.median(a / b for a, b in pairs), 2)
            pairs = zip(rounds[f"{norm} {score}"], rounds[f"GroupNorm {score}"], strict=True)
            row[f"{score}_beside_group_norm"] = round(statistics.median(a / b for a, b in pairs), 2)
        yield row


def main() -> None:
    """Measure every case and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round, nothing written")
    quick = parser.parse_args().quick
    cases, repeats = (CASES[:1], 1) if quick else (CASES, REPEATS)
    report("norms", (row for case in cases for row in measure(case, repeats)), write=not quick)


if __name__ == "__main__":
    main()
