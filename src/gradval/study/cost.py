"""What a study will cost: seconds, memory and disk of every job, before anything is run.

Everything is scaled from `costs.csv`, the processor time of a plain training step (forward and
backward of one sample) of the six architectures at full width on one CPU core, measured by
`benchmarks/measure_costs.py`. A GPU is one factor faster (`cost.gpu_speedup` of the config). These
are expectations to plan with, good to a factor of two or three; a scheduler is asked for more.

Only the standard library is imported: Snakemake asks for every job of its graph.
"""

import csv
import math
import statistics
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

COSTS_FILE = Path(__file__).with_name("costs.csv")

FULL_WIDTH = 64
SMALL_IMAGE = 64  # up to here models have the small stem, which is measured at 32 pixels
# Between 1, where memory traffic rules (8x8 digits, width 8: 1.2), and 2 of pure arithmetic (32x32,
# width 16: 2.1).
WIDTH_EXPONENT = 1.5

# In plain steps. DP-SGD by the way of clipping; PLIS, which yields loss and norm on the way; VoG a
# checkpoint; a forward alone.
PRIVATE_STEP = {"bookkeeping": 1.3, "hooks": 4.0, "ghost": 4.0, "functorch": 6.0}
PLIS_PASS, VOG_PASS, FORWARD = 2.2, 0.65, 1 / 3

# An hour of a GPU that is a hundred times as fast as a core.
SHARD_CORE_SECONDS = 100 * 3600

# Limits asked of a scheduler: reading, imports and evaluations, and a margin on what is expected.
STARTUP_MINUTES, TIME_MARGIN = 15, 3.0
# Host memory of a process that has imported torch: with and without CUDA's libraries.
GPU_BASE_MB, CPU_BASE_MB = 4000, 1500
# Copies of the weights beside the checkpoints: model, gradients, momentum, average, resume state.
WEIGHT_COPIES = 8
# Of the images: those read and a chosen part of them. With free scores a float32 a pixel, its copy
# and two serialised ones while the state is saved.
IMAGE_COPIES, FREE_SCORES_COPIES = 2, 16
# Batches hold this many times what one forward saves, in training and in scoring; scoring chooses
# bounded batches unless the config names a size.
BATCH_UNITS, SCORING_BATCH_UNITS, SCORING_BATCH_MB = 2.5, 7.0, 3000


class Unit(NamedTuple):
    """Cost of one sample of a plain training step of one model on one CPU core.

    Attributes:
        architecture: key of `gradval.models.architectures.ARCHITECTURES`.
        image_size: pixels a side.
        parameters: trainable scalars.
        activation_mib: what a forward saves for its backward.
        seconds: forward and backward, float32.
    """

    architecture: str
    image_size: int
    parameters: int
    activation_mib: float
    seconds: float


class Size(NamedTuple):
    """Images of a data set: training, test, and pixels a side."""

    train: int
    test: int
    image_size: int


# By source, for data sets that are not prepared yet; a prepared store says it itself.
KNOWN_SIZES = {
    "digits": Size(1437, 360, 8),
    "cifar10": Size(50_000, 10_000, 32),
    "cinic10": Size(90_000, 90_000, 32),
    "pppd": Size(5232, 624, 224),
}
ASSUMED_SIZE = Size(50_000, 10_000, 224)


class Job(NamedTuple):
    """Expected cost of one job: seconds on one CPU core, and bytes that it leaves on disk."""

    core_seconds: float
    disk_bytes: float


@cache
def measured_units() -> dict[tuple[str, int], Unit]:
    """The measured table, by architecture and image size."""
    with COSTS_FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    units = (
        Unit(
            row["architecture"],
            int(row["image_size"]),
            int(row["parameters"]),
            float(row["activation_mib"]),
            float(row["seconds"]),
        )
        for row in rows
    )
    return {(unit.architecture, unit.image_size): unit for unit in units}


def unit_cost(architecture: str, width: int, image_size: int) -> Unit:
    """Cost of a plain step of a model, scaled from the measured one with the same stem.

    Args:
        architecture: one of the measured ones; the dearest stands for one that is not.
        width: channels of the first stage; 64 is full width.
        image_size: pixels a side.
    """
    units = measured_units()
    measured_at = 32 if image_size <= SMALL_IMAGE else 224
    if (architecture, measured_at) not in units:
        architecture = "wideresnet101"
    unit = units[architecture, measured_at]
    pixels, thin = (image_size / measured_at) ** 2, width / FULL_WIDTH
    return Unit(
        architecture,
        image_size,
        math.ceil(unit.parameters * thin**2),
        unit.activation_mib * pixels * thin,
        unit.seconds * pixels * thin**WIDTH_EXPONENT,
    )


def training_job(
    unit: Unit,
    size: Size,
    recipe: Mapping[str, Any],
    *,
    private: bool,
    epochs: float,
    checkpoints_kept: bool = True,
) -> Job:
    """One training run: its steps, and an evaluation at every checkpoint.

    Args:
        unit: of the model.
        size: of the data set.
        recipe: resolved hyper-parameters.
        private: whether it is DP-SGD.
        epochs: expected passes over the training images.
        checkpoints_kept: whether the checkpoints stay on disk.
    """
    step = PRIVATE_STEP.get(recipe["clipping"], 1.0) if private else 1.0
    steps = size.train * epochs * recipe.get("multiplicity", 1) * step
    evaluations = FORWARD * (recipe["checkpoints"] * size.test + size.train)
    kept = 1 + (recipe["checkpoints"] if checkpoints_kept else 0)
    return Job((steps + evaluations) * unit.seconds, 4 * unit.parameters * kept)


def scoring_job(unit: Unit, size: Size, checkpoints: int) -> Job:
    """All scores of every training sample; 100 bytes a sample are written."""
    passes = PLIS_PASS + VOG_PASS * checkpoints
    return Job(size.train * passes * unit.seconds, 100 * size.train)


def scoring_shards(jobs: Iterable[Job]) -> int:
    """Into how many jobs the scoring of a data set is split: one an hour of the dearest model.

    Of a GPU as it is assumed by default: another `cost.gpu_speedup` shall not score anew.

    Args:
        jobs: the scoring of a run by each model.
    """
    dearest = max(job.core_seconds for job in jobs)
    return math.ceil(dearest / SHARD_CORE_SECONDS)


def retraining_job(
    unit: Unit,
    size: Size,
    recipe: Mapping[str, Any],
    *,
    private: bool,
    removals: int,
    fraction: float,
) -> Job:
    """The second phases after all removals but one (no removal) of `fraction` of the images."""
    kept = size._replace(train=round(size.train * (1 - fraction)))
    options: dict[str, Any] = {
        "private": private,
        "epochs": recipe["second_epochs"],
        "checkpoints_kept": False,
    }
    pruned = training_job(unit, kept, recipe, **options)
    everyone = training_job(unit, size, recipe, **options)
    return Job(
        (removals - 1) * pruned.core_seconds + everyone.core_seconds,
        (removals - 1) * pruned.disk_bytes + everyone.disk_bytes,
    )


def job_minutes(job: Job, speedup: float, attempt: int = 1, longest: int | None = None) -> int:
    """Time limit in minutes to ask a scheduler for; doubles with every attempt.

    A training that is killed at its limit resumes, so an attempt need not be long enough for all.

    Args:
        job: expected cost.
        speedup: of the device that runs it against a CPU core.
        attempt: from 1.
        longest: that the scheduler grants.
    """
    expected = job.core_seconds / speedup / 60
    minutes = math.ceil(STARTUP_MINUTES + TIME_MARGIN * expected) << (attempt - 1)
    return minutes if longest is None else min(minutes, longest)


def model_memory_mb(
    unit: Unit,
    size: Size,
    *,
    gpu: bool,
    checkpoints: int,
    batch: int = 0,
    free_scores: bool = False,
    batch_units: float = BATCH_UNITS,
    attempt: int = 1,
) -> int:
    """Host memory in MB to ask for; grows by half of the first request with every attempt.

    Args:
        unit: of the model.
        size: of the data set.
        gpu: whether activations lie on a GPU.
        checkpoints: K, all held in memory until the run ends; 1 for scoring.
        batch: samples in memory at a time, 0 for the bounded batches of scoring.
        free_scores: whether training collects scores, for which it keeps a number a pixel.
        batch_units: what a sample of a batch holds, in units of what one forward saves.
        attempt: from 1.
    """
    images = _images_mb(size) * (IMAGE_COPIES + (FREE_SCORES_COPIES if free_scores else 0))
    weights = 4 * unit.parameters / 1e6 * (checkpoints + WEIGHT_COPIES)
    on_host = batch_units * batch * unit.activation_mib * 1.05 if batch else SCORING_BATCH_MB
    base = GPU_BASE_MB if gpu else CPU_BASE_MB + on_host
    return math.ceil((base + weights + images) * (1 + attempt) / 2)


def data_memory_mb(size: Size, channels: int = 3, copies: int = 6, attempt: int = 1) -> int:
    """Memory in MB of a CPU job that holds a few copies of a data set, one of them as numbers."""
    return math.ceil((1000 + copies * _images_mb(size, channels)) * (1 + attempt) / 2)


def _images_mb(size: Size, channels: int = 3) -> float:
    """Megabytes of a data set's pixels, a byte each."""
    return (size.train + size.test) * channels * size.image_size**2 / 1e6


class Calibration(NamedTuple):
    """What finished jobs of a kind say of the expectations.

    Attributes:
        factor: median of measured over expected seconds; 1 if none is finished.
        jobs: how many are finished.
        spread: the largest ratio over the smallest.
    """

    factor: float = 1.0
    jobs: int = 0
    spread: float = 1.0

    def apply(self, job: Job) -> Job:
        """A job with the time that is expected after what was measured."""
        return job._replace(core_seconds=job.core_seconds * self.factor)


def calibrate(measured: Iterable[tuple[float, float]]) -> Calibration:
    """From pairs of measured and expected seconds of finished jobs."""
    ratios = sorted(seconds / expected for seconds, expected in measured if expected > 0)
    if not ratios:
        return Calibration()
    return Calibration(statistics.median(ratios), len(ratios), ratios[-1] / ratios[0])


def estimate_table(
    stages: Mapping[str, list[Job]],
    speedup: float,
    measured: Mapping[str, Calibration] | None = None,
    hours: float = 0.0,
) -> str:
    """A study's expected cost, stage by stage, as text of a few lines.

    Args:
        stages: name of a stage -> its jobs.
        speedup: one GPU against one CPU core.
        measured: kind of work -> what its finished jobs say.
        hours: of the whole study on the device that they ran on, after that.
    """
    finished = {kind: found for kind, found in (measured or {}).items() if found.jobs}
    total = [job for jobs in stages.values() for job in jobs]
    rows = [
        f"  {name:<28}{len(jobs):>6}{_sum(jobs).core_seconds / speedup / 3600:>12.2f}"
        f"{_sum(jobs).core_seconds / 3600:>12.1f}{_sum(jobs).disk_bytes / 1e9:>10.1f}"
        for name, jobs in [*stages.items(), ("together", total)]
    ]
    return "\n".join(
        [
            "Expected cost of the whole study, done or not:",
            f"  {'stage':<28}{'jobs':>6}{'GPU hours':>12}{'core hours':>12}{'disk GB':>10}",
            *rows,
            f"  The longest job: {max(job.core_seconds for job in total) / speedup / 3600:.2f} "
            "GPU hours.",
            *(
                f"  {kind}: {found.jobs} finished jobs took {found.factor:.3g} times what is "
                f"expected of their device (spread {found.spread:.2g})."
                for kind, found in finished.items()
            ),
            *([f"  After that, the whole study takes {hours:.2f} hours."] if finished else []),
            f"  Either GPU or core hours. A GPU counts as {speedup:g} cores (cost.gpu_speedup);",
            "  the core is measured (gradval/study/costs.csv). Good to a factor of two or three.",
        ]
    )


def _sum(jobs: list[Job]) -> Job:
    return Job(sum(job.core_seconds for job in jobs), sum(job.disk_bytes for job in jobs))
