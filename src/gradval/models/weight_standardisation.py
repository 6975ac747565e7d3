"""Weight standardisation: a convolution whose filters are centred and of norm one when used."""

from torch import Tensor, nn

# As in the code of De et al. (2022), where it bounds the squared norm from below.
EPS = 1e-4


class StandardisedConv2d(nn.Conv2d):
    """A convolution with `standardise(weight)` in the place of its weight.

    Its parameters are those of `nn.Conv2d`, name by name.
    """

    @classmethod
    def of(cls, conv: nn.Conv2d) -> "StandardisedConv2d":
        """The same convolution, sharing its parameters, with standardised weights."""
        layer = cls(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,  # type: ignore[arg-type]
            conv.stride,  # type: ignore[arg-type]
            conv.padding,  # type: ignore[arg-type]
            conv.dilation,  # type: ignore[arg-type]
            conv.groups,
            conv.bias is not None,
            conv.padding_mode,
            device="meta",  # nothing is drawn or allocated: the parameters are replaced
        )
        layer.weight, layer.bias = conv.weight, conv.bias
        return layer

    def forward(self, input: Tensor) -> Tensor:
        output: Tensor = self._conv_forward(input, standardise(self.weight), self.bias)
        return output


def standardise(weight: Tensor) -> Tensor:
    """Centre every filter and divide it by its norm.

    With m the mean of a filter's n weights, `(w - m) / sqrt(sum (w - m)^2 + 1e-4)`: Qiao et al.
    (2019, arXiv:1903.10520), scaled by 1 / sqrt(n) as Brock et al. (2021, arXiv:2101.08692) and De
    et al. (2022, arXiv:2204.13650) do, so that the output has about the scale of the input. Their
    learnt gain is left out, as a normalisation with a scale of its own follows each convolution.

    Args:
        weight: `(O, C, kh, kw)`.

    Returns:
        Of the same shape.
    """
    # One operation alone reads the weight, by which the layer is seen to use it once.
    filters = weight.flatten(1)
    return (centred(filters) / scales(filters)).view_as(weight)


def centred(filters: Tensor) -> Tensor:
    """Filters `(O, n)` less their means."""
    return filters - filters.mean(1, keepdim=True)


def scales(filters: Tensor) -> Tensor:
    """What centred filters `(O, n)` are divided by, `(O, 1)`."""
    return (centred(filters).square().sum(1, keepdim=True) + EPS).sqrt()


def standardise_convolutions(model: nn.Module) -> None:
    """Replace every `nn.Conv2d` within a model by one with standardised weights, in place."""
    for name, module in list(model.named_modules()):
        if type(module) is nn.Conv2d:
            model.set_submodule(name, StandardisedConv2d.of(module))


def raw_gradients(weight: Tensor, gradients: Tensor) -> Tensor:
    """Gradients with respect to the weight from those with respect to the standardised one.

    With v the standardised filter and s its scale, `(g - mean(g) - v <v, g>) / s`, which is exact:
    v and s hold the constant under the root.

    Args:
        weight: `(O, C, kh, kw)`.
        gradients: `(..., O, C, kh, kw)`, linear in what is summed over.
    """
    filters = weight.flatten(1)
    s, g = scales(filters), gradients.flatten(-3)
    v = centred(filters) / s
    g = g - g.mean(-1, keepdim=True)
    return ((g - v * (v * g).sum(-1, keepdim=True)) / s).view_as(gradients)
