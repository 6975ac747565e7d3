"""Every form of the norms of a convolution, on every layout, against loops over samples."""

import pytest
import torch
import torch.nn.functional as F
from reference import relative_error
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from gradval.ghost.conv import frozen_conv2d
from gradval.ghost.conv_norms import (
    FORMS,
    Geometry,
    form_costs,
    squared_weight_norms,
    weight_gradients,
)

SAMPLES, CHANNELS, OUTPUTS = 3, 2, 4

# (height, width), kernel, stride, padding, dilation
KEEPING_PIXELS = {
    "3x3": ((5, 6), (3, 3), (1, 1), (1, 1), (1, 1)),
    "1x1": ((4, 3), (1, 1), (1, 1), (0, 0), (1, 1)),
    "3x1": ((4, 5), (3, 1), (1, 1), (1, 0), (1, 1)),
    "5x3": ((6, 5), (5, 3), (1, 1), (2, 1), (1, 1)),
    "dilated": ((6, 7), (3, 3), (1, 1), (2, 2), (2, 2)),
    "kernel larger than image": ((2, 1), (5, 5), (1, 1), (2, 2), (1, 1)),
}
OTHERS = {
    "strided": ((7, 6), (3, 3), (2, 2), (1, 1), (1, 1)),
    "strided with a remainder": ((8, 8), (3, 3), (3, 2), (0, 1), (1, 1)),
    "strided 1x1": ((5, 6), (1, 1), (2, 3), (0, 0), (1, 1)),
    "padded 1x1": ((3, 3), (1, 1), (1, 1), (1, 1), (1, 1)),
    "unpadded": ((5, 5), (3, 2), (1, 1), (0, 0), (1, 1)),
    "dilated and strided": ((9, 8), (3, 3), (2, 1), (2, 0), (2, 3)),
    "dilated 2x2 that keeps the size": ((5, 6), (2, 2), (1, 1), (1, 1), (2, 2)),
    "dilated 4x3 that keeps the size": ((6, 5), (4, 3), (1, 1), (3, 1), (2, 1)),
    "7x7": ((9, 9), (7, 7), (2, 2), (3, 3), (1, 1)),
}
LAYOUTS = KEEPING_PIXELS | OTHERS


def make(layout: str, views: int) -> tuple[Tensor, Tensor, Geometry]:
    """Random inputs and output gradients of a layout."""
    size, kernel, stride, padding, dilation = LAYOUTS[layout]
    geometry = Geometry(kernel, stride, padding, dilation)
    generator = torch.Generator().manual_seed(views)
    inputs = torch.randn(SAMPLES, views, CHANNELS, *size, generator=generator, dtype=torch.float64)
    like = convolve(inputs[0], torch.zeros(OUTPUTS, CHANNELS, *kernel).double(), geometry)
    output_grads = torch.randn(SAMPLES, *like.shape, generator=generator, dtype=torch.float64)
    return inputs.requires_grad_(), output_grads.requires_grad_(), geometry


def convolve(images: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    return F.conv2d(images, weight, None, geometry.stride, geometry.padding, geometry.dilation)


def naive_gradients(inputs: Tensor, output_grads: Tensor, geometry: Geometry) -> Tensor:
    """PyTorch's own weight gradient of each sample."""
    gradients = []
    for images, grads in zip(inputs, output_grads, strict=True):
        weight = inputs.new_zeros(OUTPUTS, CHANNELS, *geometry.kernel).requires_grad_()
        output = convolve(images, weight, geometry)
        gradients.append(torch.autograd.grad(output, weight, grads, create_graph=True)[0])
    return torch.stack(gradients)


def possible_forms(layout: str) -> list[str]:
    return list(FORMS) if layout in KEEPING_PIXELS else ["direct", "gram"]


CASES = [
    pytest.param(layout, form, id=f"{layout}-{form}")
    for layout in LAYOUTS
    for form in possible_forms(layout)
]


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize(("layout", "form"), CASES)
def test_form_equals_naive_norms_and_their_derivatives(layout: str, form: str, views: int) -> None:
    inputs, output_grads, geometry = make(layout, views)
    expected = naive_gradients(inputs, output_grads, geometry).flatten(1).square().sum(1)
    actual = FORMS[form](inputs, output_grads, geometry)
    assert relative_error(actual, expected) < 1e-12

    direction = torch.tensor([1.0, -0.5, 2.0]).double()
    for a, e in zip(
        torch.autograd.grad(actual, (inputs, output_grads), direction),
        torch.autograd.grad(expected, (inputs, output_grads), direction),
        strict=True,
    ):
        assert relative_error(a, e) < 1e-12


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_weight_gradients_equal_naive_ones(layout: str, views: int) -> None:
    inputs, output_grads, geometry = make(layout, views)
    expected = naive_gradients(inputs, output_grads, geometry)
    assert relative_error(weight_gradients(inputs, output_grads, geometry), expected) < 1e-12


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_shifted_form_is_offered_exactly_where_it_is_right(layout: str) -> None:
    costs = form_costs(*make(layout, 1))
    assert set(costs) == set(possible_forms(layout))


@pytest.mark.parametrize(
    ("channels", "size", "stride", "kernel", "form"),
    [
        (64, 32, 1, 3, "direct"),
        (128, 16, 1, 3, "shifted_gram"),
        (512, 4, 1, 3, "shifted_gram"),
        (512, 14, 2, 3, "gram"),
        (128, 56, 2, 3, "direct"),
        (512, 4, 1, 1, "shifted_gram"),
    ],
)
def test_the_cheapest_form_by_measurement(
    channels: int, size: int, stride: int, kernel: int, form: str
) -> None:
    geometry = Geometry((kernel, kernel), (stride, stride), (kernel // 2, kernel // 2), (1, 1))
    pixels = (size + stride - 1) // stride
    inputs = torch.empty(1, 1, channels, size, size, device="meta")
    grads = torch.empty(1, 1, channels, pixels, pixels, device="meta")
    costs = form_costs(inputs, grads, geometry)
    assert min(costs, key=costs.__getitem__) == form


def test_automatic_form_equals_naive() -> None:
    for layout in LAYOUTS:
        inputs, output_grads, geometry = make(layout, 2)
        expected = naive_gradients(inputs, output_grads, geometry).flatten(1).square().sum(1)
        actual = squared_weight_norms(inputs, output_grads, geometry)
        assert relative_error(actual, expected) < 1e-12


@pytest.mark.parametrize("groups", [1, 2])
def test_frozen_convolution_has_right_derivatives_of_first_and_second_order(groups: int) -> None:
    geometry = Geometry((3, 2), (2, 1), (1, 0), (1, 2))
    weight = torch.randn(4, 4 // groups, 3, 2, dtype=torch.float64)
    bias = torch.randn(4, dtype=torch.float64)
    images = torch.randn(2, 4, 4, 5, dtype=torch.float64, requires_grad=True)

    def run(x: Tensor) -> Tensor:
        return frozen_conv2d(x, weight, bias, geometry, groups)

    expected = F.conv2d(
        images, weight, bias, geometry.stride, geometry.padding, geometry.dilation, groups
    )
    assert torch.equal(run(images), expected)
    assert gradcheck(run, (images,))
    assert gradgradcheck(run, (images,))
