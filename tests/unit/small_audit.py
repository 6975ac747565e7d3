"""An audit of a training so small that a test can afford it: 100 digits, the smallest network."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import yaml

from gradval.audit.result import AuditPlan
from gradval.audit.run import audit_training, audit_trainings
from gradval.audit.watch import WatchedTrainer
from gradval.data.sources.digits import digits
from gradval.privacy.accountants import calibrate_noise
from gradval.privacy.plan import PhasePlan
from gradval.study.config import validate
from gradval.study.experiments import recipe
from gradval.training.recipe import Recipe

CONFIDENCE = 0.95
OPTIONS = {"architecture": "cnn", "width": 2, "groups": 1}
STUDY = validate(yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text()))
RECIPE = replace(
    Recipe.from_config(recipe(STUDY, "digits", "resnet9", "eps1")),
    physical_batch_size=4096,
    learning_rate=0.3,
    momentum=0.5,
    ema_decay=0.5,
    clipping_norm=0.7,
    checkpoints=2,
)
DELTA = 1e-5
IMAGES = 100
# Sampling rate and steps of what is audited: everyone in every step, where both directions of the
# neighbouring relation are alike and a wrong scale of the noise shows best; rare sampling; and one
# pass in two halves.
EVERYONE, SAMPLED, HALVES = (1.0, 2), (0.1, 20), (0.5, 2)
AUDIT = AuditPlan(canaries=6000, guesses=600, confidence=CONFIDENCE)


@cache
def small_store():
    """The first digits of either split."""
    options = {"test_fraction": 0.2, "split_seed": 0, "mean": [0.306], "std": [0.377]}
    whole, first = digits("digits", options, None), np.arange(IMAGES)
    return replace(whole, train=whole.train.subset(first), test=whole.test.subset(first))


@cache
def plan(target, rate, steps):
    """A phase with noise for epsilon `target`."""
    phase = PhasePlan(IMAGES, rate, steps)
    noise = calibrate_noise(lambda x: [phase.with_noise(x).event()], target, DELTA)
    return phase.with_noise(noise)


def audit(make_trainer=WatchedTrainer, target=1.0, phase=EVERYONE, **options):
    """Audit a phase (arguments of `plan`) as it is executed by `make_trainer`."""
    return audit_training(
        small_store(),
        model_options=OPTIONS,
        **(
            {
                "phases": {"full": plan(target, *phase)},
                "recipe": RECIPE,
                "delta": DELTA,
                "accountant": "pld",
                "audit": AUDIT,
                "seed": 0,
                "stream": "test",
                "progress": False,
                "make_trainer": make_trainer,
            }
            | options
        ),
    )


def audit_many(make_trainer=WatchedTrainer, trainings=100, **options):
    """Audit, at epsilon 1, trainings on two images and a canary that is there or not."""
    store = small_store()
    few = replace(store, train=store.train.subset(np.arange(2)))
    phase = plan(1.0, *EVERYONE)
    return audit_trainings(
        few,
        model_options=OPTIONS,
        recipe=RECIPE,
        phases={"full": replace(phase, samples=2)},
        audit=AuditPlan(trainings, trainings // 2, CONFIDENCE),
        trainings=trainings,
        delta=DELTA,
        accountant="pld",
        make_trainer=make_trainer,
        **({"seed": 0, "stream": "many"} | options),
    )
