"""What the noise of DP-SGD costs beside the rest of a step.

    python benchmarks/noise_speed.py [--quick]

Writes `docs/performance/noise_speed.csv`. The rest of a step is the clipped sum of a logical batch
(`bookkeeping`, physical batches of 64). Noise is drawn for all parameters and added to the sum, in
turns with it:

- `gradval`: `gradval.privacy.noise`, full tail, on a grid;
- `torch float32`: PyTorch's normals, as Opacus draws them by default;
- `opacus secure mode`: four of these for each (Holohan and Braghin 2021);
- `numpy float64`: NumPy's ziggurat, which has a full tail and no grid.

Takes two minutes on one core.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from measurement import Run, interleaved_seconds, report
from opacus.optimizers.optimizer import _generate_noise
from torch import Tensor

from gradval.ghost import clipped_gradient_sum
from gradval.models.architectures import build_model
from gradval.privacy.keystream import KEY_BYTES, KeyStream
from gradval.privacy.noise import GaussianNoise, privatise

PHYSICAL, DEVIATION = 64, 1.0


class Case(NamedTuple):
    """A model, an image size in pixels a side, and a logical batch."""

    architecture: str
    width: int
    image_size: int
    samples: int
    repeats: int


CASES = (
    Case("resnet9", 8, 8, 256, 15),
    Case("resnet9", 16, 32, 256, 7),
    Case("resnet9", 64, 32, 128, 5),
    Case("resnet18", 64, 32, 128, 3),
)
QUICK = (Case("resnet9", 4, 8, 16, 1),)


def ways(totals: list[Tensor]) -> dict[str, Run]:
    """Name -> adds noise to every tensor of a sum."""
    device, sizes = totals[0].device, [total.numel() for total in totals]
    noise = GaussianNoise(KeyStream(os.urandom(KEY_BYTES)), device)
    ziggurat = np.random.Generator(np.random.PCG64DXSM())

    def gradval() -> list[Tensor]:
        draws = noise.integers(sum(sizes)).split(sizes)
        return [privatise(t, d, DEVIATION) for t, d in zip(totals, draws, strict=True)]

    def opacus(secure: bool) -> Callable[[], list[Tensor]]:
        return lambda: [t + _generate_noise(DEVIATION, t, secure_mode=secure) for t in totals]

    def numpy() -> list[Tensor]:
        draws = torch.from_numpy(ziggurat.standard_normal(sum(sizes))).to(device).split(sizes)
        return [
            (t.double() + DEVIATION * d.view_as(t)).float()
            for t, d in zip(totals, draws, strict=True)
        ]

    return {
        "gradval": gradval,
        "torch float32": opacus(False),
        "opacus secure mode": opacus(True),
        "numpy float64": numpy,
    }


def measure(case: Case) -> Iterator[dict[str, object]]:
    """One row a way of making noise."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(
        case.architecture,
        channels=3,
        classes=10,
        image_size=case.image_size,
        width=case.width,
        groups=4,
        seed=0,
    ).to(device)
    shape = (case.samples, 3, case.image_size, case.image_size)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device)
    labels = (torch.arange(case.samples) % 10).to(device)

    def rest() -> None:
        for chunk in torch.arange(case.samples).split(PHYSICAL):
            clipped_gradient_sum(model, images[chunk], labels[chunk], 1.0)

    totals = [torch.zeros_like(parameter) for parameter in model.parameters()]
    runs: dict[str, Run] = {"rest": rest, **ways(totals)}
    seconds = interleaved_seconds(runs, case.repeats)
    parameters = sum(total.numel() for total in totals)
    for name in runs:
        if name != "rest":
            yield {
                "model": case.architecture,
                "width": case.width,
                "image_size": case.image_size,
                "logical_batch": case.samples,
                "parameters": parameters,
                "noise": name,
                "noise_ms": round(1e3 * seconds[name], 2),
                "ns_a_parameter": round(1e9 * seconds[name] / parameters, 1),
                "rest_of_step_ms": round(1e3 * seconds["rest"], 1),
                "share_of_step": f"{seconds[name] / (seconds['rest'] + seconds[name]):.4f}",
            }


def main() -> None:
    """Measure every case and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one small case, nothing written")
    quick = parser.parse_args().quick
    report(
        "noise_speed",
        (row for c in (QUICK if quick else CASES) for row in measure(c)),
        write=not quick,
    )


if __name__ == "__main__":
    main()
