"""Every architecture of the study: what a pass finds is what the naive per-sample loop finds.

Narrow models and tiny images, so that the deep ones take seconds too.
"""

from copy import deepcopy
from functools import cache

import pytest
import reference
import torch
from torch import Tensor, nn

from gradval.ghost import covers
from gradval.models import ARCHITECTURES, build_model
from gradval.scores import score_samples
from gradval.scores.vog import input_gradients
from gradval.training.steps import BookKeepingStep

LABELS = torch.tensor([2, 0, 1])
# Largest relative deviation of any number.
TOLERANCES = {torch.float64: 1e-8, torch.float32: 1e-4}


def images() -> Tensor:
    return torch.randn(3, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def tiny(name: str, seed: int = 0) -> nn.Module:
    """In float64, evaluation mode, with affine parameters that are not all ones and zeros."""
    model = build_model(
        name, channels=3, classes=3, image_size=8, width=8, groups=2, seed=seed
    ).double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.dim() == 1:
            noise = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
            parameter.data += 0.1 * noise
    return model.eval()


@cache
def naive_scores(name: str) -> dict[str, Tensor]:
    """By the per-sample loop, in float64."""
    model, checkpoints = tiny(name), [tiny(name), tiny(name, seed=1)]
    return {
        "loss": reference.losses(model, images(), LABELS),
        "grad_norm": reference.gradients(model, images(), LABELS).norm(dim=1),
        "vog": reference.vog(checkpoints, images(), LABELS),
        "plis": reference.plis(model, images(), LABELS, 0.7),
    }


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("batch_size", [None, 2])
def test_scores_equal_the_naive_loop(name: str, dtype: torch.dtype, batch_size: int | None) -> None:
    model = tiny(name).to(dtype)
    assert covers(model, images().to(dtype))
    checkpoints = [model, tiny(name, seed=1).to(dtype)]
    scores = score_samples(
        model, checkpoints, images().to(dtype), LABELS, sigma=0.7, batch_size=batch_size
    )
    for score, expected in naive_scores(name).items():
        deviation = ((scores[score].double() - expected).abs() / expected).max()
        assert deviation < TOLERANCES[dtype], score


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("target", ["loss", "logit"])
def test_input_gradients_equal_the_naive_loop(name: str, dtype: torch.dtype, target: str) -> None:
    expected = reference.input_gradients(tiny(name), images(), LABELS, target)
    found = input_gradients(tiny(name).to(dtype), images().to(dtype), LABELS, target)
    deviation = reference.relative_error(found.double(), expected)
    assert deviation < TOLERANCES[dtype]


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize(("channels", "size"), [(3, 32), (1, 224)])
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
        generator=torch.Generator(),
    )
    step.accumulate(pixels, LABELS[:1])
    step.update()
    moved = [a - b for a, b in zip(model.parameters(), before, strict=True)]
    # Learning rate times the clipping norm, to which a fresh model's gradient is cut.
    assert float(nn.utils.get_total_norm(moved)) == pytest.approx(0.1, rel=1e-3)
    del before, moved, step
    checkpoint = deepcopy(model)
    scores = score_samples(model, [checkpoint] * 2, pixels, LABELS[:1])
    assert all(value.isfinite().all() and value.shape == (1,) for value in scores.values())
    assert float(scores["grad_norm"]) > 0 and float(scores["plis"]) > 0
    assert float(scores["vog"]) == 0  # of two checkpoints that are the same
