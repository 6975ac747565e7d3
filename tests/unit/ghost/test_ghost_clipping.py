"""Clipping itself: the bound, empty batches, augmentation multiplicity, bad arguments."""

import pytest
import reference
import torch
from reference import flatten, relative_error, seeded_noise
from torch import Tensor, nn

from gradval.ghost import clipped_gradient_sum
from gradval.training.steps import PRIVATE_STEPS, NonPrivateStep, PrivateStep


def make_model(covered: bool = True) -> nn.Module:
    torch.manual_seed(0)
    activation: nn.Module = nn.Tanh() if covered else nn.PReLU()
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.GroupNorm(2, 4),
        activation,
        nn.Flatten(),
        nn.Linear(64, 3),
    ).double()


@pytest.fixture(params=[True, False], ids=["layers", "vmap"])
def model(request: pytest.FixtureRequest) -> nn.Module:
    return make_model(request.param)


@pytest.fixture
def images() -> Tensor:
    return torch.randn(12, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels() -> Tensor:
    return torch.arange(12) % 3


def test_no_contribution_is_longer_than_the_clipping_norm(
    model: nn.Module, images: Tensor, labels: Tensor
) -> None:
    norms = reference.gradients(model, images, labels).norm(dim=1)
    max_norm = float(norms.median())
    for i, norm in enumerate(norms):
        alone = clipped_gradient_sum(model, images[i : i + 1], labels[i : i + 1], max_norm)
        length = flatten(alone.sums).norm()
        assert length <= max_norm
        expected = norm * min(1.0, max_norm / (float(norm) + 1e-6))
        assert length == pytest.approx(float(expected), rel=1e-12)


def test_sums_add_up_over_batches(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    whole = clipped_gradient_sum(model, images, labels, 1.0)
    parts = [
        clipped_gradient_sum(model, images[i : i + 5], labels[i : i + 5], 1.0)
        for i in range(0, 12, 5)
    ]
    total = sum((flatten(part.sums) for part in parts), start=torch.zeros(()).double())
    assert relative_error(total, flatten(whole.sums)) < 1e-13
    assert relative_error(torch.cat([p.losses for p in parts]), whole.losses) < 1e-13
    assert relative_error(torch.cat([p.norms for p in parts]), whole.norms) < 1e-13


@pytest.mark.parametrize("views", [1, 3])
def test_an_empty_batch_gives_zeros(model: nn.Module, images: Tensor, views: int) -> None:
    result = clipped_gradient_sum(
        model,
        images[:0],
        torch.empty(0, dtype=torch.int64),
        1.0,
        multiplicity=views,
        input_gradients=True,
    )
    assert {n: s.shape for n, s in result.sums.items()} == {
        n: p.shape for n, p in model.named_parameters()
    }
    assert all((total == 0).all() for total in result.sums.values())
    assert result.losses.shape == result.norms.shape == (0,)
    assert result.losses.dtype == torch.float64
    assert result.input_gradients is not None and result.input_gradients.shape == (0, 2, 4, 4)


@pytest.mark.parametrize("views", [2, 3, 12])
def test_views_are_averaged_before_clipping(
    model: nn.Module, images: Tensor, labels: Tensor, views: int
) -> None:
    labels = labels.sort().values
    gradients = reference.gradients(model, images, labels, views)
    max_norm = float(gradients.norm(dim=1).min()) * 0.9
    result = clipped_gradient_sum(model, images, labels, max_norm, multiplicity=views)
    assert relative_error(result.norms, gradients.norm(dim=1)) < 1e-12
    means = reference.losses(model, images, labels).unflatten(0, (-1, views)).mean(1)
    assert relative_error(result.losses, means) < 1e-13
    expected = reference.clipped_sum(model, images, labels, max_norm, views)
    assert relative_error(flatten(result.sums), flatten(expected)) < 1e-12
    # Clipping view by view would be another mechanism; the data tell them apart.
    single = reference.clipped_sum(model, images, labels, max_norm)
    assert relative_error(flatten(result.sums), flatten(single) / views) > 1e-2


def test_the_same_view_several_times_changes_nothing(
    model: nn.Module, images: Tensor, labels: Tensor
) -> None:
    once = clipped_gradient_sum(model, images, labels, 1.0)
    thrice = clipped_gradient_sum(
        model,
        images.repeat_interleave(3, 0),
        labels.repeat_interleave(3),
        1.0,
        multiplicity=3,
    )
    assert relative_error(thrice.norms, once.norms) < 1e-12
    assert relative_error(flatten(thrice.sums), flatten(once.sums)) < 1e-12


def test_input_gradients_are_given_if_asked_for(
    model: nn.Module, images: Tensor, labels: Tensor
) -> None:
    expected = reference.input_gradients(model, images, labels)
    for views in (1, 3):
        result = clipped_gradient_sum(
            model, images, labels, 1.0, multiplicity=views, input_gradients=True
        )
        assert result.input_gradients is not None
        assert relative_error(result.input_gradients, expected) < 1e-12
    assert clipped_gradient_sum(model, images, labels, 1.0).input_gradients is None


def test_results_carry_no_graph(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    result = clipped_gradient_sum(model, images, labels, 1.0, input_gradients=True)
    tensors = [*result.sums.values(), result.losses, result.norms, result.input_gradients]
    assert not any(tensor.requires_grad for tensor in tensors if tensor is not None)


def test_a_gradient_that_is_not_finite_is_refused(
    model: nn.Module, images: Tensor, labels: Tensor
) -> None:
    images[7, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="gradient of sample 7 of the batch is not finite"):
        clipped_gradient_sum(model, images, labels, 1.0)


@pytest.mark.parametrize("max_norm", [0.0, -1.0, float("nan")])
def test_the_clipping_norm_must_be_positive(
    images: Tensor, labels: Tensor, max_norm: float
) -> None:
    with pytest.raises(ValueError, match=r"max_norm is .* must be positive"):
        clipped_gradient_sum(make_model(), images, labels, max_norm)


def test_views_must_divide_the_batch(images: Tensor, labels: Tensor) -> None:
    with pytest.raises(ValueError, match="12 images cannot be 5 views each"):
        clipped_gradient_sum(make_model(), images, labels, 1.0, multiplicity=5)
    with pytest.raises(ValueError, match="12 images cannot be 0 views each"):
        clipped_gradient_sum(make_model(), images, labels, 1.0, multiplicity=0)


def test_every_image_needs_a_label(images: Tensor, labels: Tensor) -> None:
    with pytest.raises(ValueError, match="12 images, but 11 labels"):
        clipped_gradient_sum(make_model(), images, labels[:11], 1.0)


def private_step(kind: str, model: nn.Module, observe: bool = False) -> PrivateStep:
    """A step of rate 1 without noise, of 12 samples and clipping norm 1."""
    return PRIVATE_STEPS[kind](
        model,
        torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0),
        12.0,
        noise_multiplier=0.0,
        clipping_norm=1.0,
        noise=seeded_noise(),
        observe=observe,
    )


@pytest.mark.parametrize("kind", PRIVATE_STEPS)
@pytest.mark.parametrize("frozen", ["0", "1.weight", "4.bias"])
def test_every_way_trains_around_a_frozen_layer(
    kind: str, frozen: str, images: Tensor, labels: Tensor
) -> None:
    model, plain = make_model(), make_model()
    for each in (model, plain):
        for name, parameter in each.named_parameters():
            parameter.requires_grad_(not name.startswith(frozen))
    expected = reference.clipped_sum(plain, images, labels, 1.0)
    step = private_step(kind, model)
    step.accumulate(images, labels)
    step.update()
    before = dict(plain.named_parameters())
    moved = {name: 12 * (before[name] - p).detach() for name, p in model.named_parameters()}
    for name in before.keys() - expected.keys():
        assert (moved.pop(name) == 0).all()
    assert relative_error(flatten(moved), flatten(expected)) < 1e-10


class DetachedInput(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.detach())


@pytest.mark.parametrize("kind", [*PRIVATE_STEPS, "nonprivate"])
def test_images_that_no_gradient_reaches_are_observed_as_zeros(
    kind: str, images: Tensor, labels: Tensor
) -> None:
    model = DetachedInput(*make_model())
    if kind == "nonprivate":
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        seen = NonPrivateStep(model, optimizer, 12.0, observe=True).accumulate(images, labels)
    else:
        seen = private_step(kind, model, observe=True).accumulate(images, labels)
    assert seen.input_gradients is not None
    assert torch.equal(seen.input_gradients, torch.zeros_like(images))


@pytest.mark.parametrize("kind", ["bookkeeping", "nonprivate"])
def test_observing_steps_train_models_that_begin_in_place(
    kind: str, images: Tensor, labels: Tensor
) -> None:
    model = nn.Sequential(nn.ReLU(inplace=True), *make_model())
    before = images.clone()
    expected = reference.input_gradients(model, images, labels)
    if kind == "nonprivate":
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        seen = NonPrivateStep(model, optimizer, 12.0, observe=True).accumulate(images, labels)
    else:
        seen = private_step(kind, model, observe=True).accumulate(images, labels)
    assert torch.equal(images, before)
    assert seen.input_gradients is not None
    assert relative_error(seen.input_gradients, expected) < 1e-12
