"""VoG: Eq. 2 by hand and by loops, its options, and where its checkpoints come from."""

import itertools
from collections.abc import Iterator

import pytest
import reference
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradval.scores import score_samples, vog_scores

CLASSES = 3


def make_model(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.GroupNorm(2, 4),
        nn.ReLU(),
        nn.Dropout(),
        nn.Flatten(),
        nn.Linear(64, CLASSES),
    ).double()


@pytest.fixture
def models() -> list[nn.Module]:
    return [make_model(seed).eval() for seed in range(4)]


@pytest.fixture
def images() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(5, 2, 4, 4, dtype=torch.float64, generator=generator)


@pytest.fixture
def labels() -> Tensor:
    return torch.tensor([0, 1, 2, 1, 0])


class LoadedInTurn:
    """Checkpoints that share one module, as those of a run on disk do."""

    def __init__(self, models: list[nn.Module], module: nn.Module | None = None) -> None:
        self.weights = [model.state_dict() for model in models]
        self.module = module or make_model(9)

    def __iter__(self) -> Iterator[nn.Module]:
        for weights in self.weights:
            self.module.load_state_dict(weights)
            yield self.module


def test_closed_form_of_softmax_regression(labels: Tensor) -> None:
    """With logits W x, S = W^T (p - y)."""
    images = torch.randn(5, 1, 2, 3, dtype=torch.float64)
    models = [nn.Sequential(nn.Flatten(), nn.Linear(6, CLASSES)).double() for _ in range(3)]
    maps = []
    with torch.no_grad():
        for model in models:
            residual = model(images).softmax(1) - F.one_hot(labels, CLASSES)
            maps.append(residual @ model[1].weight)
    squares = torch.stack(maps).var(0, correction=0) * 3
    printed = (squares / 3**0.5).mean(1)
    assert torch.allclose(vog_scores(models, images, labels), printed, rtol=1e-12)
    std = (squares / 3).sqrt().mean(1)
    actual = vog_scores(models, images, labels, statistic="std")
    assert torch.allclose(actual, std, rtol=1e-12)


def test_numbers_worked_out_by_hand() -> None:
    """Logits (w x, 0) of a single pixel x: the gradient of the first logit is w itself."""
    models = []
    for weight in (1.0, 2.0, 6.0):
        model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False)).double()
        model[1].weight.data = torch.tensor([[weight], [0.0]]).double()
        models.append(model)
    image, label = torch.ones(1, 1, 1, 1).double(), torch.tensor([0])
    # Mean 3, squared deviations 4 + 1 + 9 = 14.
    printed = vog_scores(models, image, label, target="logit")
    assert float(printed) == pytest.approx(14 / 3**0.5, rel=1e-14)
    std = vog_scores(models, image, label, target="logit", statistic="std")
    assert float(std) == pytest.approx((14 / 3) ** 0.5, rel=1e-14)


@pytest.mark.parametrize(
    ("target", "statistic", "channels"),
    list(itertools.product(("loss", "logit"), ("printed", "std"), ("separate", "averaged"))),
)
def test_options_equal_naive(
    models: list[nn.Module],
    images: Tensor,
    labels: Tensor,
    target: str,
    statistic: str,
    channels: str,
) -> None:
    expected = reference.vog(models, images, labels, target, statistic, channels)
    actual = vog_scores(models, images, labels, target, statistic, channels=channels, batch_size=2)
    assert torch.allclose(actual, expected, rtol=1e-12, atol=0)
    together = score_samples(
        models[0],
        models,
        images,
        labels,
        ("vog",),
        options={"vog": {"target": target, "statistic": statistic, "channels": channels}},
    )
    assert torch.allclose(together["vog"], expected, rtol=1e-12, atol=0)


def test_small_variations_of_large_gradients_survive_in_float32(labels: Tensor) -> None:
    """A sum of squares minus the squared mean would lose them all."""
    images = torch.ones(5, 1, 1, 1)
    models = []
    for variation in (-1.0, 0.0, 1.0):
        model = nn.Sequential(nn.Flatten(), nn.Linear(1, CLASSES, bias=False))
        model[1].weight.data[:, 0] = 10_000 + variation
        models.append(model)
    actual = vog_scores(models, images, labels, target="logit")
    assert torch.allclose(actual, torch.tensor(2 / 3**0.5), rtol=1e-5)


def test_checkpoints_that_agree_have_no_variance(images: Tensor, labels: Tensor) -> None:
    assert (vog_scores([make_model(0), make_model(0)], images, labels) == 0).all()


def test_order_of_the_checkpoints_does_not_matter(
    models: list[nn.Module], images: Tensor, labels: Tensor
) -> None:
    forward, backward = (vog_scores(m, images, labels) for m in (models, models[::-1]))
    assert torch.allclose(forward, backward, rtol=1e-12)


class TestSourcesOfCheckpoints:
    @pytest.fixture
    def expected(self, models: list[nn.Module], images: Tensor, labels: Tensor) -> Tensor:
        return vog_scores(models, images, labels)

    @pytest.mark.parametrize("batch_size", [2, 5])
    def test_weights_loaded_in_turn_into_one_module(
        self,
        models: list[nn.Module],
        images: Tensor,
        labels: Tensor,
        expected: Tensor,
        batch_size: int,
    ) -> None:
        loaded = LoadedInTurn(models)
        actual = vog_scores(loaded, images, labels, batch_size=batch_size)
        assert torch.allclose(actual, expected, rtol=1e-12)
        scores = score_samples(models[0], loaded, images, labels, batch_size=batch_size)
        assert torch.allclose(scores["vog"], expected, rtol=1e-12)

    def test_one_shot_iterator_of_distinct_modules(
        self, models: list[nn.Module], images: Tensor, labels: Tensor, expected: Tensor
    ) -> None:
        for batch_size in (2, 5):
            actual = vog_scores(iter(models), images, labels, batch_size=batch_size)
            assert torch.allclose(actual, expected, rtol=1e-12)
            actual = score_samples(
                models[0], (m for m in models), images, labels, ("vog",), batch_size=batch_size
            )["vog"]
            assert torch.allclose(actual, expected, rtol=1e-12)

    def test_one_shot_iterator_over_one_module_is_refused(
        self, models: list[nn.Module], images: Tensor, labels: Tensor
    ) -> None:
        with pytest.raises(ValueError, match="gives the same module more than once"):
            vog_scores(iter(LoadedInTurn(models)), images, labels)

    def test_loading_into_the_scored_model_is_refused(
        self, models: list[nn.Module], images: Tensor, labels: Tensor
    ) -> None:
        loaded = LoadedInTurn(models, models[0])
        with pytest.raises(ValueError, match="loaded into the model itself"):
            score_samples(models[0], loaded, images, labels)

    @pytest.mark.parametrize("count", [0, 1])
    def test_fewer_than_two_are_refused(
        self, models: list[nn.Module], images: Tensor, labels: Tensor, count: int
    ) -> None:
        expected = f"VoG needs at least 2 checkpoints, but there are {count}"
        for checkpoints in (models[:count], iter(models[:count]), LoadedInTurn(models[:count])):
            with pytest.raises(ValueError, match=expected):
                vog_scores(checkpoints, images, labels)
        with pytest.raises(ValueError, match=expected):
            score_samples(models[0], models[:count], images, labels)

    def test_each_is_left_as_it_was(
        self, models: list[nn.Module], images: Tensor, labels: Tensor
    ) -> None:
        models[1].train()
        models[2][0].weight.requires_grad_(False)
        vog_scores(models, images, labels)
        assert [m.training for m in models] == [False, True, False, False]
        assert all(m.training for m in models[1].modules())
        assert not models[2][0].weight.requires_grad
        frozen = [p for m in models for p in m.parameters() if not p.requires_grad]
        assert len(frozen) == 1 and all(p.grad is None for m in models for p in m.parameters())

    def test_every_checkpoint_is_checked(
        self, models: list[nn.Module], images: Tensor, labels: Tensor
    ) -> None:
        mixing = nn.Sequential(nn.BatchNorm2d(2, track_running_stats=False), models[0]).double()
        with pytest.raises(ValueError, match="BatchNorm2d"):
            vog_scores([models[0], mixing], images, labels)
        fewer = nn.Sequential(nn.Flatten(), nn.Linear(32, 2)).double()
        with pytest.raises(ValueError, match="label of sample 2 is 2, but the model has 2"):
            vog_scores([models[0], fewer], images, labels)


@pytest.mark.parametrize(
    ("option", "value"),
    [("target", "probability"), ("statistic", "variance"), ("channels", "summed")],
)
def test_unknown_options_are_refused(
    models: list[nn.Module], images: Tensor, labels: Tensor, option: str, value: str
) -> None:
    with pytest.raises(ValueError, match=f"vog.{option}: '{value}' is not allowed: must be"):
        vog_scores(models, images, labels, **{option: value})
