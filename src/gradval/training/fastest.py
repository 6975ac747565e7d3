"""Which way of clipping is fastest for a model, by a short measurement."""

import copy
import logging
import math
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gradval.ghost.coverage import preserved_rng
from gradval.training.steps import PRIVATE_STEPS, PrivateStep

logger = logging.getLogger("gradval")

# Enough samples that the order does not change with more of them.
MEASURED_SAMPLES = 16
REPEATS = 2
# These hold every sample's whole gradient at once; beyond so many bytes they are no candidates.
HOLD_PER_SAMPLE_GRADIENTS = ("hooks", "functorch")
MOST_BYTES = 2**31


def fastest_clipping(
    model: nn.Module,
    image_shape: Sequence[int],
    *,
    physical_batch_size: int,
    multiplicity: int = 1,
) -> str:
    """Time each kind of private step on a copy of the model and name the fastest.

    The images are made up, so that the choice, which is kept with the run, tells nothing of private
    ones.

    All kinds give the same sums up to rounding, so the choice decides about time alone. It may
    differ from one machine to the next, and from one run to the next if two are about as fast.

    Args:
        model: left as it is, gradients and random state included.
        image_shape: (C, H, W).
        physical_batch_size: images that will be held in memory at a time.
        multiplicity: views of each sample among them.

    Returns:
        A key of `PRIVATE_STEPS`.
    """
    samples = max(1, min(MEASURED_SAMPLES, physical_batch_size) // multiplicity)
    parameter = next(model.parameters())
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((samples * multiplicity, *image_shape), generator=generator).to(parameter)
    labels = torch.zeros(len(images), dtype=torch.int64, device=parameter.device)
    parameter_bytes = sum(p.numel() * p.element_size() for p in model.parameters())
    seconds: dict[str, float] = {}
    with preserved_rng(images.device):
        for name, kind in PRIVATE_STEPS.items():
            held = name in HOLD_PER_SAMPLE_GRADIENTS
            if held and physical_batch_size * parameter_bytes > MOST_BYTES:
                continue
            if multiplicity > 1 and not kind.averages_views:
                continue
            fastest = min(seconds.values(), default=math.inf)
            try:
                seconds[name] = _seconds(
                    kind, model, images, labels, multiplicity, give_up_after=2 * fastest
                )
            except RuntimeError as error:
                # Opacus has no rule for a layer, its hooks forbid an operation, or memory is short.
                logger.info("clipping %s cannot train this model: %s", name, error)
    chosen = min(seconds, key=seconds.__getitem__)
    times = ", ".join(f"{name} {1e3 * value:.0f} ms" for name, value in seconds.items())
    logger.info("clipping by %s: %d images take %s", chosen, len(images), times)
    return chosen


def _seconds(
    kind: type[PrivateStep],
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    multiplicity: int,
    *,
    give_up_after: float,
) -> float:
    """Shortest time of a step; that of the first that counts, if it is hopeless."""
    trial = copy.deepcopy(model).train()
    step = kind(
        trial,
        torch.optim.SGD(trial.parameters(), lr=0.0),
        float(len(images)),
        multiplicity=multiplicity,
        noise_multiplier=0.0,
        clipping_norm=1.0,
        generator=torch.Generator(images.device),
    )
    # Kernels are loaded and chosen in the first one.
    _time_once(step, images, labels)
    times = [_time_once(step, images, labels)]
    if times[0] > give_up_after:
        return times[0]
    times += [_time_once(step, images, labels) for _ in range(REPEATS)]
    return min(times)


def _time_once(step: PrivateStep, images: Tensor, labels: Tensor) -> float:
    start = time.perf_counter()
    step.accumulate(images, labels)
    if images.is_cuda:
        torch.cuda.synchronize(images.device)
    return time.perf_counter() - start
