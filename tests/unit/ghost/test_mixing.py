"""Models that mix the samples of a batch are refused, whatever they mix them with."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from reference import seeded_noise
from torch import Tensor, nn

from gradval.ghost import clipped_gradient_sum, sample_gradients
from gradval.scores import loss_scores, vog_scores
from gradval.training.steps import PRIVATE_STEPS

CLASSES = 3


class Apply(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class OwnBatchNorm(nn.Module):
    """Written by hand; in evaluation it uses running statistics."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x - (x.mean((0, 2, 3), keepdim=True) if self.training else self.mean)


class OverTheBatch(nn.Module):
    """A recurrence that takes the batch for the sequence: a sample depends on those before it."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(144, 144)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x.flatten(1))[0].view_as(x)


MIXERS: dict[str, Callable[[], nn.Module]] = {
    "mean": lambda: Apply(lambda x: x - x.mean(0, keepdim=True)),
    "functional BatchNorm": lambda: Apply(lambda x: F.batch_norm(x, None, None, training=True)),
    "own BatchNorm": lambda: OwnBatchNorm(4),
    "softmax over the batch": lambda: Apply(lambda x: x.softmax(0)),
    "flip": lambda: Apply(lambda x: x.flip(0)),
    "rolled by one": lambda: Apply(lambda x: x + x.roll(1, 0)),
    "recurrence": OverTheBatch,
}


def with_mixer(mixer: nn.Module) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), mixer, nn.ReLU(), nn.Flatten(), nn.Linear(144, CLASSES)
    ).double()


def refused() -> pytest.RaisesExc:
    return pytest.raises(ValueError, match="mixes the samples of a batch: the logits of one")


@pytest.mark.parametrize("mixer", MIXERS.values(), ids=MIXERS.keys())
def test_passes_refuse(mixer: Callable[[], nn.Module], images: Tensor, labels: Tensor) -> None:
    model = with_mixer(mixer())
    for order in (0, 1, 2):
        with refused():
            sample_gradients(model, images, labels, order)
    with refused():
        clipped_gradient_sum(model, images, labels, 1.0)


def test_scores_refuse(images: Tensor, labels: Tensor) -> None:
    model = with_mixer(MIXERS["mean"]())
    with refused():
        loss_scores(model, images, labels)
    with refused():
        vog_scores([model, copy.deepcopy(model)], images, labels)


@pytest.mark.parametrize("kind", PRIVATE_STEPS)
def test_private_steps_refuse(kind: str, images: Tensor, labels: Tensor) -> None:
    model = with_mixer(MIXERS["mean"]())
    step = PRIVATE_STEPS[kind](
        model,
        torch.optim.SGD(model.parameters(), lr=1.0),
        4.0,
        noise_multiplier=0.0,
        clipping_norm=1.0,
        noise=seeded_noise(),
    )
    with refused():
        step.accumulate(images, labels)


def test_the_mode_decides(images: Tensor, labels: Tensor) -> None:
    model = with_mixer(OwnBatchNorm(4))
    assert sample_gradients(model.eval(), images, labels, 1).losses.isfinite().all()
    with refused():
        sample_gradients(model.train(), images, labels, 1)


@pytest.mark.parametrize("images_alike", [False, True])
@pytest.mark.parametrize("hidden", ["zero head", "softmax", "frozen", "zero branch"])
def test_nothing_hides_it(hidden: str, images_alike: bool, images: Tensor, labels: Tensor) -> None:
    model = with_mixer(MIXERS["mean"]())
    if hidden == "zero head":
        nn.init.zeros_(model[-1].weight)
    elif hidden == "softmax":
        model.append(nn.Softmax(1))
    elif hidden == "frozen":
        model[0].requires_grad_(False)
    else:
        branch = nn.Sequential(MIXERS["mean"](), nn.Conv2d(4, 4, 1), nn.GroupNorm(1, 4)).double()
        nn.init.zeros_(branch[2].weight)
        model[1] = Apply(lambda x: x + branch(x))
        model[1].branch = branch
    if images_alike:
        images = torch.zeros_like(images)
    with refused():
        sample_gradients(model, images, labels, 1)
