"""The six architectures of the study (paper, appendix A.1), all without batch statistics.

GroupNorm stands in the place of BatchNorm, which mixes samples and so has neither per-sample
gradients nor a DP guarantee. Images of up to 64 pixels get a 3x3 stride-1 stem without max-pooling.
The private and the non-private model are the same architecture. An architecture's module is loaded
where it is used alone.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from gradval.data.store import Store
from gradval.models.layers import FULL_WIDTH
from gradval.models.registry import ARCHITECTURES
from gradval.models.weight_standardisation import standardise_convolutions


def build_model(
    architecture: str,
    *,
    channels: int,
    classes: int,
    image_size: int,
    width: int = FULL_WIDTH,
    groups: int = 32,
    weight_standardisation: bool = False,
    seed: int | None = None,
) -> nn.Module:
    """Build one of the study's models with freshly drawn weights.

    Args:
        architecture: a name in `ARCHITECTURES`, or `package.module:function` of your own, which is
            called with channels, classes, image_size, width and groups by name.
        channels: input channels.
        classes: number of logits.
        image_size: height = width of the images in pixels.
        width: channels of the first stage; 64 is full width.
        groups: largest number of groups of a GroupNorm.
        weight_standardisation: whether convolutions standardise their weights; the parameters and
            their initial values are the same.
        seed: fixes the initial weights without touching the global random state; `None` draws
            them from the global state.

    Returns:
        A module mapping `(N, channels, image_size, image_size)` float to logits `(N, classes)`.

    Raises:
        ValueError: the architecture is unknown, too narrow for its groups of channels, or makes
            something else than a module.
    """
    build = ARCHITECTURES.load(architecture)
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        model = build(
            channels=channels, classes=classes, image_size=image_size, width=width, groups=groups
        )
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"architecture {architecture} makes a {type(model).__name__}, but must make a Module"
        )
    if weight_standardisation:
        standardise_convolutions(model)
    return model


def model_for(store: Store, options: Mapping[str, Any], seed: int | None = None) -> nn.Module:
    """The model that a config's model block describes, sized for a data set.

    Args:
        store: gives input channels, image size and classes.
        options: `architecture`, `width`, `groups` and, if it is not false,
            `weight_standardisation` as in `build_model`.
        seed: as in `build_model`.
    """
    channels, height, _ = store.image_shape
    return build_model(
        options["architecture"],
        channels=channels,
        classes=len(store.classes),
        image_size=height,
        width=options["width"],
        groups=options["groups"],
        weight_standardisation=options.get("weight_standardisation", False),
        seed=seed,
    )


def parameter_count(model: nn.Module) -> int:
    """Number of trainable scalars."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
