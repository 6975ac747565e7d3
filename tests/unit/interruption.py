"""A training run in a child process that is killed at a chosen moment, or runs out of disk."""

import errno
import itertools
import multiprocessing
import os
import resource
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gradval.data.store import open_store
from gradval.privacy.events import extended, training_event
from gradval.privacy.plan import PhasePlan
from gradval.runtime.jobs import job
from gradval.training.recipe import Recipe
from gradval.training.resume import remove_state
from gradval.training.run import RunFiles, train_run

# Children are forked from a clean process that has imported everything, or each would take seconds.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["interruption", "torch._dynamo", "opacus.optimizers"])

RECIPE = Recipe(
    epochs=1,
    first_epochs=1,
    second_epochs=1,
    batch_size=16,
    physical_batch_size=10,
    learning_rate=0.2,
    schedule="cosine",
    warmup=0.0,
    momentum=0.9,
    weight_decay=0.0,
    ema_decay=0.9,
    clipping_norm=0.7,
    clipping="bookkeeping",
    checkpoints=5,
)
FIRST = training_event(PhasePlan(40, 0.4, 9, 2.0), name="first", clipping_norm=0.7)
# What is special about a run: its recipe, or that it is a second phase on those who are kept.
VIEWS = {"recipe": replace(RECIPE, augmentation="flip-crop", multiplicity=2)}
SECOND_PHASE = {
    "phase": PhasePlan(30, 0.5, 9, 2.0),
    "phase_name": "second",
    "before": extended(None, FIRST),
    "selection": "raw",
    "kept": np.arange(10, 40),
}


def train(
    store: Path,
    folder: Path,
    noise: float | None,
    strike: tuple[int, signal.Signals] | None = None,
    largest_file: int | None = None,
    full_after: int | None = None,
    special: dict[str, Any] | None = None,
) -> None:
    """Body of a training script, as in the workflow, the state being saved at every step.

    Args:
        store, folder: where the data lie and where the run writes.
        noise: noise multiplier; `None` for a run without privacy.
        strike: a signal that the process sends itself, and at which of its function calls and
            returns (in Python or C). If it is not reached, their number is in `events.txt`.
        special: arguments of `train_run` in place of the usual ones.
        largest_file: bytes of a file beyond which writing fails, as on a full disk.
        full_after: number of files that still fit on the disk; the next ones do not.
    """
    torch.set_num_threads(1)
    # Processes that are started in the background of a shell ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if full_after is not None:
        _fill_disk(full_after)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))
    files = RunFiles.in_folder(folder, checkpoints=True)
    with job(folder.with_suffix(".log")):
        data = open_store(store)
        counter = itertools.count(1)
        if strike is not None:
            moment, number = strike

            def profile(*_: object) -> None:
                if next(counter) == moment:
                    os.kill(os.getpid(), number)

            sys.setprofile(profile)
        usual: dict[str, Any] = {
            "recipe": RECIPE,
            "phase": PhasePlan(40, 0.4, 9, noise),
        }
        train_run(
            data,
            model_options={"architecture": "resnet9", "width": 4, "groups": 2},
            seed=5,
            stream="test",
            files=files,
            progress=False,
            save_every=0,
            **usual | (special or {}),
        )
        sys.setprofile(None)
        remove_state(files.resume)
    folder.with_suffix(".events").write_text(str(next(counter) - 1))


def _fill_disk(after: int) -> None:
    """Let this process find no space when it asks for more than `after` files to be on disk."""
    sync, counter = os.fsync, itertools.count()

    def full(file: Any) -> None:
        if next(counter) >= after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(file)

    os.fsync = full


def run(*arguments: object, **options: object) -> int | None:
    """Exit code of `train` in a child process; minus the signal that ended it."""
    child = CONTEXT.Process(target=train, args=arguments, kwargs=options)
    child.start()
    child.join(1200)
    return child.exitcode
