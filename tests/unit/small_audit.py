"""An audit of a training so small that a test can afford it: 200 digits, a ResNet-9 of width 4."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import yaml

from gradval.audit.run import AuditPlan, audit_training
from gradval.data.sources.digits import digits
from gradval.privacy.accountants import calibrate_noise
from gradval.privacy.plan import PhasePlan
from gradval.study.config import validate
from gradval.study.experiments import recipe
from gradval.training.loop import Trainer
from gradval.training.recipe import Recipe

CONFIDENCE = 0.95
OPTIONS = {"architecture": "resnet9", "width": 4, "groups": 2}
STUDY = validate(yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text()))
RECIPE = replace(
    Recipe.from_config(recipe(STUDY, "digits", "resnet9", "eps1")),
    physical_batch_size=1000,
    learning_rate=0.3,
    momentum=0.5,
    ema_decay=0.5,
    clipping_norm=0.7,
    checkpoints=2,
)
DELTA = 1e-5
# Target, sampling rate and steps of the audited phases. Where everyone takes part in every step the
# bound is tightest, and a wrong scale of the noise shows best.
SAMPLED, EVERYONE = (1.0, 0.05, 60), (1.0, 1.0, 4)
AUDIT = AuditPlan(canaries=1000, guesses=200, confidence=CONFIDENCE)


def small_store():
    """The first 200 digits of either split."""
    options = {"test_fraction": 0.2, "split_seed": 0, "mean": [0.306], "std": [0.377]}
    whole, first = digits("digits", options, None), np.arange(200)
    return replace(whole, train=whole.train.subset(first), test=whole.test.subset(first))


@cache
def plan(target, rate, steps):
    """A phase with noise for epsilon `target`."""
    phase = PhasePlan(200, rate, steps)
    noise = calibrate_noise(lambda x: [phase.with_noise(x).event()], target, DELTA)
    return phase.with_noise(noise)


def audit(store, make_trainer=Trainer, phase=SAMPLED, **options):
    """Audit a phase (arguments of `plan`) as it is executed by `make_trainer`."""
    return audit_training(
        store,
        model_options=OPTIONS,
        recipe=RECIPE,
        phase=plan(*phase),
        delta=DELTA,
        accountant="pld",
        make_trainer=make_trainer,
        progress=False,
        **({"audit": AUDIT, "seed": 0, "stream": "test"} | options),
    )
