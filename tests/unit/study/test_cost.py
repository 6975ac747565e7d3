"""The cost model: anchored at what is measured, and growing with what makes jobs dear."""

import subprocess
import sys

import pytest

from gradval.models.architectures import ARCHITECTURES
from gradval.study import cost

CIFAR = cost.KNOWN_SIZES["cifar10"]
RECIPE = {"checkpoints": 10, "clipping": "bookkeeping", "second_epochs": 10}


def train(unit, recipe=RECIPE, size=CIFAR, private=True, epochs=30):
    return cost.training_job(unit, size, recipe, private=private, epochs=epochs).core_seconds


def test_every_architecture_is_measured_at_both_sizes():
    assert set(cost.measured_units()) == {(a, s) for a in ARCHITECTURES for s in (32, 224)}
    for (architecture, size), unit in cost.measured_units().items():
        assert cost.unit_cost(architecture, 64, size) == unit


def test_narrow_models_and_small_images_are_cheaper():
    full, narrow = (cost.unit_cost("resnet18", width, 32) for width in (64, 8))
    assert narrow.seconds < full.seconds / 10
    assert narrow.parameters == pytest.approx(full.parameters / 64, abs=1)
    assert cost.unit_cost("resnet18", 64, 8).seconds == pytest.approx(full.seconds / 16)


def test_training_of_the_default_study_is_met_within_a_factor_of_three():
    # ResNet-18 of width 8 on the digits, eps 8, 12 epochs: 7.3 and 8.2 s measured on one core.
    unit = cost.unit_cost("resnet18", 8, 8)
    seconds = train(unit, {**RECIPE, "checkpoints": 5}, cost.KNOWN_SIZES["digits"], epochs=12)
    assert 7.8 / 3 < seconds < 7.8 * 3


def test_what_makes_training_dear():
    unit = cost.unit_cost("resnet101", 64, 32)
    plain = train(unit, private=False)
    assert plain == pytest.approx(CIFAR.train * 30 * unit.seconds, rel=0.05)
    assert plain < train(unit) < train(unit, {**RECIPE, "clipping": "hooks"})
    assert train(unit, {**RECIPE, "multiplicity": 16}) > 14 * train(unit)
    assert train(unit, epochs=60) > 1.9 * train(unit)


def test_scoring_and_retraining():
    unit = cost.unit_cost("resnet18", 64, 32)
    few, many = (cost.scoring_job(unit, CIFAR, k).core_seconds for k in (5, 10))
    assert many - few == pytest.approx(5 * 0.65 * CIFAR.train * unit.seconds)
    retraining = cost.retraining_job(unit, CIFAR, RECIPE, private=True, removals=6, fraction=0.25)
    one = train(unit, epochs=10)
    assert 5 * 0.75 * one < retraining.core_seconds < 6 * one
    assert retraining.disk_bytes == 6 * 4 * unit.parameters


def test_requests_grow_with_model_data_and_attempt():
    small, large = (cost.unit_cost(a, 64, 224) for a in ("resnet18", "wideresnet101"))
    few = CIFAR._replace(train=5000)

    def memory(unit, size=CIFAR, gpu=True, **options):
        return cost.model_memory_mb(unit, size, gpu=gpu, checkpoints=10, batch=64, **options)

    for gpu in (True, False):
        assert memory(small, few, gpu) < memory(small, gpu=gpu) < memory(large, gpu=gpu) < 64_000
    images = (CIFAR.train + CIFAR.test) * 3 * 32**2 / 1e6
    assert memory(small, free_scores=True) > memory(small) + 12 * images
    assert memory(small, attempt=3) == pytest.approx(2 * memory(small), abs=2)
    scoring = {"gpu": False, "checkpoints": 1, "batch_units": cost.SCORING_BATCH_UNITS}
    bounded, one, many = (
        cost.model_memory_mb(small, CIFAR, batch=b, **scoring) for b in (0, 1, 256)
    )
    assert one < bounded < many
    job = cost.Job(3600 * 200, 0)
    assert cost.job_minutes(job, 200) == 15 + 180
    assert cost.job_minutes(job, 200, attempt=2) == 2 * (15 + 180)
    assert cost.job_minutes(job, 200, attempt=2, longest=300) == 300
    assert cost.data_memory_mb(cost.KNOWN_SIZES["pppd"]) > cost.data_memory_mb(CIFAR)


def test_the_table_adds_up():
    stages = {"training": [cost.Job(7200, 2e9)] * 3, "scoring": [cost.Job(3600, 0)]}
    lines = cost.estimate_table(stages, speedup=7).splitlines()
    together = next(line.split() for line in lines if line.strip().startswith("together"))
    assert together[1:] == ["4", "1.00", "7.0", "6.0"]
    assert any("counts as 7 cores" in line for line in lines)
    assert "  The longest job: 0.29 GPU hours." in lines  # 7200 / 7 / 3600


def test_snakemake_does_not_pay_for_heavy_imports():
    code = (
        "import sys, gradval.study.cost; assert not {'torch', 'numpy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_finished_runs_say_how_far_the_model_was_off():
    assert cost.calibrate([]) == cost.Calibration(1.0, 0, 1.0)
    found = cost.calibrate([(30.0, 10.0), (20.0, 10.0), (80.0, 20.0), (1.0, 0.0)])
    assert found == cost.Calibration(3.0, 3, 2.0)
    job = found.apply(cost.Job(3600, 1e9))
    assert job == cost.Job(3 * 3600, 1e9)
    table = cost.estimate_table({"training": [job]}, 1, {"Training": found}, hours=3.0)
    assert "Training: 3 finished jobs took 3 times what is expected of their device" in table
    assert "the whole study takes 3.00 hours" in table
    assert "finished" not in cost.estimate_table({"training": [job]}, speedup=1)
