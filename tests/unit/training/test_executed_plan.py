"""What the training loop executes is what was planned: noise, clipping norm and denominator."""

import pytest
import reference
import torch
from reference import flatten, relative_error

from gradval.data.images import NormalisedImages
from gradval.models.architectures import build_model
from gradval.privacy.plan import PhasePlan
from gradval.training.loop import Trainer, TrainingData
from gradval.training.recipe import Recipe
from gradval.training.steps import PRIVATE_STEPS

SAMPLES, RATE = 40, 0.3
# The expected batch size of the plan is 12; that of the recipe differs, and so does a drawn one.
RECIPE = {
    "epochs": 1,
    "first_epochs": 1,
    "second_epochs": 1,
    "batch_size": 16,
    "physical_batch_size": 5,
    "learning_rate": 1.0,
    "schedule": "constant",
    "warmup": 0.0,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "ema_decay": 0.0,
    "checkpoints": 1,
}


class DrawsNobody(Trainer):
    """Every Poisson sample is empty, so that the steps are of noise alone."""

    def _draw(self):
        return super()._draw()[:0]


class RemembersItsDraws(Trainer):
    """Keeps what was drawn."""

    def _draw(self):
        self.drawn = super()._draw()
        return self.drawn


def tiny_model(dtype):
    model = build_model("resnet9", channels=1, classes=3, image_size=8, width=4, groups=2, seed=0)
    return model.to(dtype)


def make_trainer(kind, phase, *, clipping, clipping_norm, dtype=torch.float32):
    pixels = torch.randint(0, 256, (SAMPLES, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    images = NormalisedImages(pixels.to(torch.uint8).numpy(), [0.5], [0.3], dtype=dtype)
    labels = torch.arange(SAMPLES) % 3
    recipe = Recipe.from_config(RECIPE | {"clipping": clipping, "clipping_norm": clipping_norm})
    data = TrainingData(images, labels, images, labels)
    return kind(tiny_model(dtype), data, phase, recipe, key=b"k" * 32)


def moved(trainer, dtype):
    """How far each weight has come from where it began."""
    before = dict(tiny_model(dtype).named_parameters())
    names = [name.removeprefix("_module.") for name, _ in trainer.model.named_parameters()]
    after = dict(zip(names, trainer.model.parameters(), strict=True))
    return flatten({name: (after[name] - before[name]).detach() for name in before})


@pytest.mark.parametrize("clipping", PRIVATE_STEPS)
@pytest.mark.parametrize(
    ("noise_multiplier", "clipping_norm", "steps"), [(0.6, 1.0, 1), (1.1, 0.7, 6), (5.0, 2.5, 3)]
)
def test_the_planned_noise_reaches_the_weights(clipping, noise_multiplier, clipping_norm, steps):
    phase = PhasePlan(SAMPLES, RATE, steps, noise_multiplier)
    trainer = make_trainer(DrawsNobody, phase, clipping=clipping, clipping_norm=clipping_norm)
    assert trainer.run().steps == steps
    change = moved(trainer, torch.float32)
    expected = noise_multiplier * clipping_norm * steps**0.5 / (RATE * SAMPLES)
    # Standard error of a standard deviation over n values is about 1 / sqrt(2 n).
    assert len(change) > 5000
    assert float(change.std()) == pytest.approx(expected, rel=4 / (2 * len(change)) ** 0.5)
    assert abs(float(change.mean())) < 4 * expected / len(change) ** 0.5


@pytest.mark.parametrize("clipping", PRIVATE_STEPS)
def test_without_its_noise_a_step_is_the_naive_clipped_sum_over_the_planned_batch(clipping):
    dtype = torch.float64
    phase = PhasePlan(SAMPLES, RATE, 1, 1.1)
    # About half of the gradients are longer than this.
    trainer = make_trainer(
        RemembersItsDraws, phase, clipping=clipping, clipping_norm=22.0, dtype=dtype
    )
    trainer.step_kind.private.noise_multiplier = 0.0
    trainer.run()
    drawn, data, plain = trainer.drawn, trainer.data, tiny_model(dtype).train()
    images, labels = data.images[drawn], data.labels[drawn]
    norms = reference.gradients(plain, images, labels).norm(dim=1)
    assert norms.min() < 22.0 < norms.max() and len(drawn) != phase.expected_batch_size
    expected = reference.clipped_sum(plain, images, labels, 22.0)
    change = -flatten(expected) / (RATE * SAMPLES)
    assert relative_error(moved(trainer, dtype), change) < 1e-10
