"""Every architecture of the study: what a pass finds is what the naive per-sample loop finds.

Narrow models and small images, so that the deep ones take seconds too; 72 pixels are enough for the
stem of large images.
"""

from copy import deepcopy
from functools import cache

import pytest
import reference
import torch
from reference import seeded_noise
from torch import Tensor, nn

from gradval.ghost import clipped_gradient_sum, covers
from gradval.models.architectures import ARCHITECTURES, build_model
from gradval.scores import score_samples
from gradval.scores.input_gradients import input_gradients
from gradval.training.steps import BookKeepingStep

LABELS = torch.tensor([2, 0, 1])
# Largest relative deviation of any number.
TOLERANCES = {torch.float64: 1e-8, torch.float32: 1e-4}


def images(size: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, 3, size, size, dtype=torch.float64, generator=generator)


def tiny(name: str, seed: int = 0, size: int = 8) -> nn.Module:
    """In float64, evaluation mode, with affine parameters that are not all ones and zeros."""
    model = build_model(
        name, channels=3, classes=3, image_size=size, width=8, groups=2, seed=seed
    ).double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.dim() == 1:
            noise = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
            parameter.data += 0.1 * noise
    return model.eval()


@cache
def naive_scores(name: str, size: int) -> dict[str, Tensor]:
    """By the per-sample loop, in float64."""
    model, checkpoints = tiny(name, size=size), [tiny(name, seed, size) for seed in (0, 1)]
    pixels = images(size)
    return {
        "loss": reference.losses(model, pixels, LABELS),
        "grad_norm": reference.gradients(model, pixels, LABELS).norm(dim=1),
        "vog": reference.vog(checkpoints, pixels, LABELS),
        "plis": reference.plis(model, pixels, LABELS, 0.7),
    }


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(("size", "batch_size"), [(8, None), (8, 2), (72, None)])
def test_scores_equal_the_naive_loop(
    name: str, dtype: torch.dtype, size: int, batch_size: int | None
) -> None:
    model, pixels = tiny(name, size=size).to(dtype), images(size).to(dtype)
    assert covers(model, pixels)
    checkpoints = [model, tiny(name, 1, size).to(dtype)]
    scores = score_samples(model, checkpoints, pixels, LABELS, sigma=0.7, batch_size=batch_size)
    for score, expected in naive_scores(name, size).items():
        deviation = ((scores[score].double() - expected).abs() / expected).max()
        # Float32 rounds more on the way through 101 layers and many pixels.
        larger = 10 if dtype == torch.float32 and size == 72 else 1
        assert deviation < larger * TOLERANCES[dtype], score


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_clipped_sums_equal_the_naive_loop_at_the_stem_of_large_images(
    name: str, dtype: torch.dtype
) -> None:
    expected = naive_clipped_sum(name)
    found = clipped_gradient_sum(tiny(name, size=72).to(dtype), images(72).to(dtype), LABELS, 1.0)
    deviation = reference.relative_error(reference.flatten(found.sums).double(), expected)
    assert deviation < TOLERANCES[dtype]


@cache
def naive_clipped_sum(name: str) -> Tensor:
    model = tiny(name, size=72)
    return reference.flatten(reference.clipped_sum(model, images(72), LABELS, 1.0))


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("target", ["loss", "logit"])
def test_input_gradients_equal_the_naive_loop(name: str, dtype: torch.dtype, target: str) -> None:
    expected = reference.input_gradients(tiny(name), images(), LABELS, target)
    found = input_gradients(tiny(name).to(dtype), images().to(dtype), LABELS, target)
    deviation = reference.relative_error(found.double(), expected)
    assert deviation < TOLERANCES[dtype]


# The others take up to a minute each; benchmarks/score_speed.py scores them at both sizes.
@pytest.mark.parametrize(
    ("name", "channels", "size"),
    [
        *((name, 3, 32) for name in ("resnet9", "resnet18", "resnet101")),
        ("resnet18", 1, 224),
    ],
)
def test_full_width_models_take_a_private_step_and_are_scored_at_their_real_size(
    name, channels, size
):
    model = build_model(name, channels=channels, classes=3, image_size=size, groups=16, seed=0)
    pixels = torch.randn(1, channels, size, size, generator=torch.Generator().manual_seed(2))
    before = [parameter.clone() for parameter in model.parameters()]
    step = BookKeepingStep(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        1.0,
        noise_multiplier=0.0,
        clipping_norm=1.0,
        noise=seeded_noise(),
    )
    step.accumulate(pixels, LABELS[:1])
    step.update()
    moved = [a - b for a, b in zip(model.parameters(), before, strict=True)]
    # Learning rate times the clipping norm, to which a fresh model's gradient is cut.
    assert float(nn.utils.get_total_norm(moved)) == pytest.approx(0.1, rel=1e-3)
    del before, moved, step
    checkpoint = deepcopy(model)
    scores = score_samples(model, [checkpoint, deepcopy(checkpoint)], pixels, LABELS[:1])
    assert all(value.isfinite().all() and value.shape == (1,) for value in scores.values())
    assert float(scores["grad_norm"]) > 0 and float(scores["plis"]) > 0
    assert float(scores["vog"]) == 0  # of two checkpoints that are the same
