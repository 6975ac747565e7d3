"""Norms of per-sample gradients of convolution weights, in the cheapest of three exact forms.

With U the unfolded input of a sample, `(C k k, P)`, and G its output gradient, `(O, P)`, the
gradient of the weight is `G U^T` and its squared norm `<U^T U, G^T G>`.

- direct: form `G U^T` as one convolution with a group for each sample;
- gram: form `U^T U`, `(P, P)`, which pays where an output has few pixels;
- shifted gram: for stride 1 with output and input of one size, `U^T U` is the sum over kernel
  offsets of `A^T A` shifted along its diagonals, A being the input itself, so nothing is unfolded.

Everywhere, inputs are `(S, V, C, H, W)` and output gradients `(S, V, O, H', W')`: V views make up
a sample, that is, they are further positions of it. A group of a grouped convolution counts as a
sample of its own here.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.nn.grad import conv2d_input, conv2d_weight

Pair = tuple[int, int]


@dataclass(frozen=True)
class Geometry:
    """Shape of a two-dimensional convolution; zero padding, the same on opposite sides."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

    @property
    def is_pointwise(self) -> bool:
        """Whether each output pixel depends on one input pixel, and none on the padding."""
        return self.kernel == (1, 1) and self.padding == (0, 0)

    @property
    def keeps_pixels(self) -> bool:
        """Whether each output pixel lies on the middle one of its kernel's input pixels."""
        return self.stride == (1, 1) and all(
            k % 2 == 1 and 2 * p == d * (k - 1)
            for k, p, d in zip(self.kernel, self.padding, self.dilation, strict=True)
        )


def weight_gradients(inputs: Tensor, output_grads: Tensor, geometry: Geometry) -> Tensor:
    """Per-sample weight gradients `(S, O, C, kh, kw)`, differentiable in both arguments."""
    if geometry.is_pointwise:
        rows, columns = geometry.stride
        read = _as_columns(inputs[..., ::rows, ::columns])
        return torch.bmm(_as_columns(output_grads), read.transpose(1, 2))[..., None, None]
    gradients: Tensor = _WeightGradients.apply(inputs, output_grads, geometry)
    return gradients


def squared_weight_norms(inputs: Tensor, output_grads: Tensor, geometry: Geometry) -> Tensor:
    """Squared norms `(S,)` of `weight_gradients`, in the form that is cheapest for this shape."""
    costs = form_costs(inputs, output_grads, geometry)
    form = min(costs, key=costs.__getitem__)
    return FORMS[form](inputs, output_grads, geometry)


def forming_is_cheaper(inputs: Tensor, output_grads: Tensor, geometry: Geometry) -> bool:
    """Whether to form per-sample gradients and weigh them, rather than to take their norms and
    then pass over the pixels once more for the weighted gradient."""
    costs = form_costs(inputs, output_grads, geometry)
    return costs["direct"] <= min(costs.values()) + _products(inputs, output_grads, geometry)


def form_costs(inputs: Tensor, output_grads: Tensor, geometry: Geometry) -> dict[str, int]:
    """Cost of each form that is possible, in multiply-adds a sample, to order them by.

    The two constants, for the memory traffic of gradients and of shifts, are fitted to timings of
    36 layer shapes in float32 on AVX-512 cores; the order came out right for each.
    """
    channels, outputs = inputs.shape[2], output_grads.shape[2]
    weights = channels * geometry.kernel[0] * geometry.kernel[1]
    pixels = output_grads.shape[1] * output_grads.shape[3] * output_grads.shape[4]
    costs = {"direct": _products(inputs, output_grads, geometry) + 100 * outputs * weights}
    # Before "gram", because for 1x1 kernels they cost the same except for the unfolding.
    if geometry.keeps_pixels:
        shifts = 40 if geometry.kernel != (1, 1) else 0
        costs["shifted_gram"] = pixels**2 * (channels + outputs + shifts)
    costs["gram"] = pixels**2 * (weights + outputs)
    return costs


def _products(inputs: Tensor, output_grads: Tensor, geometry: Geometry) -> int:
    """Multiply-adds of the gradient of the weight."""
    kernel_size = geometry.kernel[0] * geometry.kernel[1]
    return inputs.shape[2] * kernel_size * output_grads[0].numel()


def _direct(inputs: Tensor, output_grads: Tensor, geometry: Geometry) -> Tensor:
    return weight_gradients(inputs, output_grads, geometry).flatten(1).square().sum(1)


def _gram(inputs: Tensor, output_grads: Tensor, geometry: Geometry) -> Tensor:
    norms: Tensor = _GramNorms.apply(inputs, output_grads, UnfoldedGram(geometry))
    return norms


def _shifted_gram(inputs: Tensor, output_grads: Tensor, geometry: Geometry) -> Tensor:
    norms: Tensor = _GramNorms.apply(inputs, output_grads, ShiftedGram(geometry))
    return norms


FORMS = {"direct": _direct, "gram": _gram, "shifted_gram": _shifted_gram}


class _WeightGradients(Function):
    """One convolution with a group for each sample; views take the place of the batch."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, output_grads: Tensor, geometry: Geometry) -> Tensor:
        ctx.geometry = geometry
        ctx.save_for_backward(inputs, output_grads)
        s, _, c = inputs.shape[:3]
        o = output_grads.shape[2]
        gradients: Tensor = conv2d_weight(
            _fold_samples(inputs),
            (s * o, c, *geometry.kernel),
            _fold_samples(output_grads),
            geometry.stride,
            geometry.padding,
            geometry.dilation,
            s,
        )
        return gradients.view(s, o, c, *geometry.kernel)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        inputs, output_grads = ctx.saved_tensors
        geometry, samples = ctx.geometry, inputs.shape[0]
        options = (geometry.stride, geometry.padding, geometry.dilation, samples)
        folded, kernels = _fold_samples(inputs), grad.flatten(0, 1)
        d_output_grads = F.conv2d(folded, kernels, None, *options)
        d_inputs = conv2d_input(folded.shape, kernels, _fold_samples(output_grads), *options)
        return (
            _unfold_samples(d_inputs, inputs),
            _unfold_samples(d_output_grads, output_grads),
            None,
        )


def _fold_samples(images: Tensor) -> Tensor:
    """`(S, V, C, H, W)` as `(V, S C, H, W)`."""
    return images.transpose(0, 1).flatten(1, 2)


def _unfold_samples(folded: Tensor, like: Tensor) -> Tensor:
    """Inverse of `_fold_samples`."""
    s, v, c = like.shape[:3]
    return folded.view(v, s, c, *folded.shape[2:]).transpose(0, 1)


class Gram(Protocol):
    """Inner products between the unfolded input's columns, and the adjoint map."""

    def columns(self, inputs: Tensor) -> Tensor:
        """`U^T U`, `(S, V P, V P)`."""

    def adjoint(self, inputs: Tensor, grams: Tensor) -> Tensor:
        """Half the gradient of `<U^T U, grams>` with respect to the inputs, grams symmetric."""


class _GramNorms(Function):
    """`<U^T U, G^T G>` as `<G U^T U, G>`: `G U^T U` is half the derivative with respect to G, and
    smaller to keep than the two Gram matrices."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, output_grads: Tensor, gram: Gram) -> Tensor:
        grads = _as_columns(output_grads)
        products = torch.bmm(grads, gram.columns(inputs))
        ctx.gram = gram
        ctx.save_for_backward(inputs, output_grads, products)
        return (products * grads).sum((1, 2))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        inputs, output_grads, products = ctx.saved_tensors
        twice = 2 * grad[:, None, None]
        d_output_grads = _from_columns(products * twice, output_grads)
        grads = _as_columns(output_grads)
        d_inputs = ctx.gram.adjoint(inputs, torch.bmm((grads * twice).transpose(1, 2), grads))
        return d_inputs, d_output_grads, None


def _as_columns(images: Tensor) -> Tensor:
    """`(S, V, C, H, W)` as `(S, C, V H W)`."""
    return images.transpose(1, 2).flatten(2)


def _from_columns(columns: Tensor, like: Tensor) -> Tensor:
    """Inverse of `_as_columns`."""
    s, v, c, h, w = like.shape
    return columns.view(s, c, v, h, w).transpose(1, 2)


@dataclass(frozen=True)
class UnfoldedGram:
    """The Gram matrix by unfolding the input; for any geometry."""

    geometry: Geometry

    def columns(self, inputs: Tensor) -> Tensor:
        unfolded = self._unfold(inputs)
        return torch.bmm(unfolded.transpose(1, 2), unfolded)

    def adjoint(self, inputs: Tensor, grams: Tensor) -> Tensor:
        s, v, _, h, w = inputs.shape
        columns = torch.bmm(self._unfold(inputs), grams)
        patches = columns.view(s, columns.shape[1], v, -1).transpose(1, 2).flatten(0, 1)
        return F.fold(patches, (h, w), *self._options).view_as(inputs)

    def _unfold(self, inputs: Tensor) -> Tensor:
        patches = F.unfold(inputs.flatten(0, 1), *self._options)
        return patches.view(*inputs.shape[:2], *patches.shape[1:]).transpose(1, 2).flatten(2)

    @property
    def _options(self) -> tuple[Pair, Pair, Pair, Pair]:
        g = self.geometry
        return g.kernel, g.dilation, g.padding, g.stride


@dataclass(frozen=True)
class ShiftedGram:
    """The Gram matrix from the inputs' own; for geometries that keep the pixels."""

    geometry: Geometry

    def columns(self, inputs: Tensor) -> Tensor:
        pixels = _as_columns(inputs)
        return self._sum_of_shifts(torch.bmm(pixels.transpose(1, 2), pixels), inputs)

    def adjoint(self, inputs: Tensor, grams: Tensor) -> Tensor:
        # The sum over all shifts and their opposites is its own adjoint.
        return _from_columns(
            torch.bmm(_as_columns(inputs), self._sum_of_shifts(grams, inputs)), inputs
        )

    def _sum_of_shifts(self, grams: Tensor, inputs: Tensor) -> Tensor:
        """Sum over kernel offsets o of `grams[.., p + o, q + o]`, zero outside, axis by axis."""
        s, v, _, h, w = inputs.shape
        summed = grams.view(s, v, h, w, v, h, w)
        axes = (((2, 5), h), ((3, 6), w))
        for (pair, size), k, d in zip(
            axes, self.geometry.kernel, self.geometry.dilation, strict=True
        ):
            source = summed
            for offset in range(d, min(d * (k // 2), size - 1) + 1, d):
                if summed is source:
                    summed = source.clone()
                low, high = _shifted(pair, 0, size - offset), _shifted(pair, offset, size)
                summed[low] += source[high]
                summed[high] += source[low]
        return summed.view_as(grams)


def _shifted(axes: Pair, start: int, stop: int) -> tuple[slice, ...]:
    """Index of seven axes that takes `start:stop` of the two given ones."""
    return tuple(slice(start, stop) if axis in axes else slice(None) for axis in range(7))
