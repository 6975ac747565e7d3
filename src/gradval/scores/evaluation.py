"""Evaluation mode that leaves no trace."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from gradval.ghost.coverage import preserved_rng


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Context in which a model is in evaluation mode.

    At its end every module's own training flag and the random state are as they were.
    """
    flags = [(module, module.training) for module in model.modules()]
    with preserved_rng(reference_tensor(model).device):
        model.eval()
        try:
            yield
        finally:
            for module, training in flags:
                module.training = training


def reference_tensor(model: nn.Module) -> Tensor:
    """A tensor with the device and floating dtype of the model.

    Raises:
        ValueError: the model has no floating-point parameter.
    """
    for parameter in model.parameters():
        if parameter.is_floating_point():
            return parameter
    raise ValueError("the model has no floating-point parameter")
