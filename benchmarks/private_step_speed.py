"""Speed and memory of a DP-SGD step by every way of clipping, in plain training steps.

    python benchmarks/private_step_speed.py [--quick]

Writes `docs/performance/private_step_speed.csv`. A step is a logical batch in physical batches of
64, noise and update included; all ways run in turns on the same batch. Opacus's hooks and functorch
are measured on a smaller batch, for they take many plain steps. Takes nine minutes on two cores.
"""

import argparse
from collections.abc import Iterator

import torch
from measurement import Run, interleaved_seconds, peak_memory, report
from score_speed import Case, problem
from torch import nn

from gradval.privacy.keystream import KEY_BYTES, KeyStream
from gradval.privacy.noise import GaussianNoise
from gradval.training.steps import PRIVATE_STEPS, NonPrivateStep, Step

PHYSICAL = 64
# Model, samples of the logical batch, repeats, ways.
CASES = (
    ("resnet9", 128, 5, ("bookkeeping", "ghost")),
    ("resnet18", 128, 5, ("bookkeeping", "ghost")),
    ("resnet9", 64, 3, ("bookkeeping", "hooks", "functorch")),
    ("resnet18", 64, 3, ("bookkeeping", "hooks", "functorch")),
)
QUICK = (("resnet9", 16, 1, ("bookkeeping", "hooks")),)


def step(architecture: str, samples: int, way: str | None) -> Run:
    """A whole step; `None` is the plain one."""
    model, images, labels = problem(Case(architecture, 32, samples))
    kind = make_step(model, samples, way)

    def run() -> None:
        for chunk in torch.arange(samples).split(PHYSICAL):
            kind.accumulate(images[chunk], labels[chunk])
        kind.update()

    return run


def make_step(model: nn.Module, samples: int, way: str | None, *, observe: bool = False) -> Step:
    """A kind of step for an expected batch of `samples`; `None` is the plain one."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    if way is None:
        return NonPrivateStep(model, optimizer, samples, observe=observe)
    return PRIVATE_STEPS[way](
        model,
        optimizer,
        samples,
        noise_multiplier=1.0,
        clipping_norm=1.0,
        noise=GaussianNoise(KeyStream(bytes(KEY_BYTES)), next(model.parameters()).device),
        observe=observe,
    )


def measure(architecture: str, samples: int, repeats: int, ways: tuple[str, ...]) -> Iterator[dict]:
    """One row a way, the plain step first."""
    names = {"plain step": None, **{way: way for way in ways}}
    runs = {name: step(architecture, samples, way) for name, way in names.items()}
    seconds = interleaved_seconds(runs, repeats)
    del runs
    for name, way in names.items():
        yield {
            "model": architecture,
            "logical_batch": samples,
            "physical_batch": PHYSICAL,
            "way": name,
            "seconds": round(seconds[name], 3),
            "plain_steps": round(seconds[name] / seconds["plain step"], 2),
            "peak_mib": round(peak_memory(step, architecture, samples, way).rise),
        }


def main() -> None:
    """Measure every case and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one small case, nothing written")
    quick = parser.parse_args().quick
    rows = (row for case in (QUICK if quick else CASES) for row in measure(*case))
    report("private_step_speed", rows, write=not quick)


if __name__ == "__main__":
    main()
