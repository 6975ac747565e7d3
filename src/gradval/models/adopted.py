"""Models that are trained already, as architectures of the workflow.

A trained model may need arguments that the workflow knows nothing of. They are part of the name of
its architecture, `gradval.models.adopted:<model> <arguments in JSON>`: whatever name is asked of
this module is a function that builds that model, so a model of a user's own goes every way that one
of ours goes. Importing it loads no PyTorch.
"""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

TORCHVISION = "torchvision:"
# What the workflow gives to every architecture; one of the user's own gets it if it takes it.
SIZES = ("width", "groups")


def adopted_architecture(model: str, arguments: Mapping[str, Any] | None = None) -> str:
    """The name of an architecture for a model that is trained already.

    Args:
        model: `torchvision:<name>`, `package.module:function`, or an architecture of this package.
        arguments: more for its function; what JSON can say.
    """
    return f"{__name__}:{model} {json.dumps(arguments or {}, sort_keys=True)}"


def __getattr__(name: str) -> "Callable[..., nn.Module]":
    """The function that builds the model of such a name."""
    model, separator, arguments = name.partition(" ")
    if not separator:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def build(*, channels: int, classes: int, image_size: int, **sizes: int) -> "nn.Module":
        from gradval.models.own import build_own_model

        return build_own_model(
            model,
            classes=classes,
            channels=channels,
            image_size=image_size,
            arguments=json.loads(arguments),
            sizes={size: sizes[size] for size in SIZES},
        )

    return build
