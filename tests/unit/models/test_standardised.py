"""Weight standardisation: its definition, its gradients, and clipping with it."""

import pytest
import reference
import torch
from reference import flatten, relative_error, seeded_noise
from torch import Tensor, nn

from gradval.ghost import clipped_gradient_sum, covers, sample_gradients
from gradval.ghost.standardised_conv import StandardisedConv2dRule
from gradval.models.architectures import ARCHITECTURES, build_model
from gradval.models.weight_standardisation import (
    EPS,
    StandardisedConv2d,
    raw_gradients,
    standardise,
    standardise_convolutions,
)
from gradval.training.steps import PRIVATE_STEPS

LAYERS = {
    "3x3": {"kernel_size": 3, "padding": 1},
    "3x3 without bias": {"kernel_size": 3, "padding": 1, "bias": False},
    "strided": {"kernel_size": 3, "padding": 1, "stride": 2},
    "grouped": {"kernel_size": 3, "padding": 1, "groups": 2},
    "grouped and strided": {"kernel_size": 3, "stride": 2, "groups": 2},
    "1x1": {"kernel_size": 1},
    "1x1 strided": {"kernel_size": 1, "stride": 2, "groups": 2},
    "dilated": {"kernel_size": 3, "padding": 2, "dilation": 2},
    "padding same, even kernel": {"kernel_size": (2, 4), "padding": "same"},
    "padding reflect": {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
}


def tiny(options: dict[str, object], scale: float = 1.0) -> nn.Module:
    """A smooth model around one layer; at a small scale the constant under the root matters."""
    torch.manual_seed(0)
    layer = StandardisedConv2d(4, 6, **options)  # type: ignore[arg-type]
    layer.weight.data *= scale
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Softplus(), layer, nn.GroupNorm(2, 6), nn.Tanh())
    return nn.Sequential(model, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 3)).double()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(6, 3, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels() -> Tensor:
    return torch.tensor([0, 1, 2, 0, 1, 2])


def test_filters_are_centred_and_of_norm_one_up_to_the_constant() -> None:
    weight = torch.randn(5, 3, 2, 2, dtype=torch.float64)
    found = standardise(weight).flatten(1)
    filters = weight.flatten(1)
    n = filters.shape[1]
    variance = filters.var(1, correction=0, keepdim=True)
    expected = (filters - filters.mean(1, keepdim=True)) / (n * variance + EPS).sqrt()
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-15)
    assert found.sum(1).abs().max() < 1e-13
    assert ((1 - found.norm(dim=1)).abs() < EPS).all()
    # Standardised weights do not know the scale and the shift of the raw ones.
    torch.testing.assert_close(
        standardise(300 * weight + 7), standardise(weight), rtol=1e-3, atol=0
    )


def test_gradients_of_raw_weights_are_autograds() -> None:
    for scale in (1e-2, 1.0):
        weight = (scale * torch.randn(5, 3, 2, 2, dtype=torch.float64)).requires_grad_()
        gradients = torch.randn(7, *weight.shape, dtype=torch.float64)
        output = standardise(weight)
        for gradient, found in zip(gradients, raw_gradients(weight, gradients), strict=True):
            (expected,) = torch.autograd.grad(output, weight, gradient, retain_graph=True)
            assert relative_error(found, expected) < 1e-12


@pytest.mark.parametrize("scale", [1.0, 0.01], ids=["", "small weights"])
@pytest.mark.parametrize("layer", LAYERS)
def test_scores_and_clipped_sums_equal_naive(
    layer: str, scale: float, images: Tensor, labels: Tensor
) -> None:
    model = tiny(LAYERS[layer], scale)
    assert covers(model, images)
    found = sample_gradients(model, images, labels, 2)
    norms = reference.gradients(model, images, labels).square().sum(1)
    assert found.squared_norms is not None and found.susceptibilities is not None
    assert relative_error(found.squared_norms, norms) < 1e-8
    expected = reference.susceptibilities(model, images, labels)
    assert relative_error(found.susceptibilities, expected) < 1e-8
    for views in (1, 2):
        max_norm = float(norms.sqrt().median()) / 2
        sums = clipped_gradient_sum(model, images, labels, max_norm, multiplicity=views).sums
        naive = reference.clipped_sum(model, images, labels, max_norm, views)
        assert relative_error(flatten(sums), flatten(naive)) < 1e-10


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("layer", LAYERS)
def test_norms_without_gradients_are_those_of_the_gradients(layer: str, views: int) -> None:
    """The rule's own two ways, whichever of them a shape would take."""
    torch.manual_seed(0)
    rule, conv = StandardisedConv2dRule(), StandardisedConv2d(4, 6, **LAYERS[layer]).double()  # type: ignore[arg-type]
    activation, output = rule.run(conv, torch.rand(6, 4, 7, 7, dtype=torch.float64))
    grads = torch.randn_like(output)
    norms = rule.squared_norms(conv, activation, grads, views)
    for name, gradient in rule.per_sample_gradients(conv, activation, grads, views).items():
        assert relative_error(norms[name], gradient.flatten(1).square().sum(1)) < 1e-10
    weights, rows = torch.rand(6, dtype=torch.float64), rule.per_sample_gradients
    for name, total in rule.weighted_gradients(conv, activation, grads, weights).items():
        expected = torch.tensordot(weights, rows(conv, activation, grads)[name], dims=1)
        assert relative_error(total, expected) < 1e-10


@pytest.mark.parametrize("kind", PRIVATE_STEPS)
def test_every_way_of_clipping_takes_the_naive_step(
    kind: str, images: Tensor, labels: Tensor
) -> None:
    model, before = tiny(LAYERS["grouped"]), tiny(LAYERS["grouped"])
    expected = reference.clipped_sum(before, images, labels, 0.5)
    step = PRIVATE_STEPS[kind](
        model,
        torch.optim.SGD(model.parameters(), lr=0.3),
        10.0,
        noise_multiplier=0.0,
        clipping_norm=0.5,
        noise=seeded_noise(),
    )
    step.accumulate(images, labels)
    step.update()
    for (name, old), new in zip(before.named_parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(new, old - 0.03 * expected[name], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_can_standardise_all_its_convolutions(name: str) -> None:
    options = {"channels": 1, "classes": 3, "image_size": 8, "width": 8, "groups": 4, "seed": 0}
    plain = build_model(name, **options)
    model = build_model(name, **options, weight_standardisation=True)
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) >= (2 if name == "cnn" else 8)
    assert all(type(m) is StandardisedConv2d for m in convolutions)
    # The same parameters with the same initial values, so one seed serves both.
    assert model.state_dict().keys() == plain.state_dict().keys()
    for key, value in plain.state_dict().items():
        assert torch.equal(model.state_dict()[key], value)
    images = torch.randn(2, 1, 8, 8)
    assert not torch.allclose(model(images), plain(images))
    assert covers(model, images)


def test_a_whole_model_equals_naive_in_float32(labels: Tensor) -> None:
    """Norms are differences here; single precision must be enough for them."""
    images = torch.randn(6, 1, 8, 8)
    model = build_model(
        "resnet9",
        channels=1,
        classes=3,
        image_size=8,
        width=8,
        groups=2,
        weight_standardisation=True,
        seed=0,
    )
    found = sample_gradients(model, images, labels, 1).squared_norms
    expected = reference.gradients(model.double(), images.double(), labels).square().sum(1)
    assert found is not None
    assert relative_error(found.double(), expected) < 1e-5


def test_layers_that_are_no_plain_convolution_are_left_alone() -> None:
    class Own(nn.Conv2d):
        pass

    model = nn.Sequential(Own(1, 2, 1), nn.Linear(2, 2), nn.Sequential(nn.Conv2d(2, 2, 1)))
    weight = model[2][0].weight
    standardise_convolutions(model)
    assert type(model[0]) is Own and type(model[2][0]) is StandardisedConv2d
    assert model[2][0].weight is weight
