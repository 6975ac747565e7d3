"""A model of a user's own, named by where it is built."""

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from torch import nn

from gradval.models.registry import ARCHITECTURES
from gradval.runtime import plugins

FORMS = "torchvision:resnet18, mine.py:build or package.module:build"


def build_own_model(
    name: str,
    *,
    classes: int,
    channels: int,
    image_size: int,
    arguments: Mapping[str, Any] | None = None,
    sizes: Mapping[str, int] | None = None,
) -> nn.Module:
    """Build a model, with whatever weights it begins with.

    Args:
        name: `torchvision:<model>`, `<file>.py:<function>`, `package.module:<function>` (looked for
            in the folders of `gradval.runtime.plugins` too), or an architecture of this package. In
            the place of a function may stand a class, or a module that is built already.
        classes, channels, image_size: what it is for. A function is given those that it takes, by
            these names; `num_classes` and `in_channels` are others for the first two.
        arguments: more for the function, or others in the place of these.
        sizes: such as the width; given to a function that takes them, by these names.

    Raises:
        ValueError: there is nothing at that name, it raises an exception, or it makes no module;
            one line.
    """
    known = {
        "num_classes": classes,
        "classes": classes,
        "channels": channels,
        "in_channels": channels,
        "image_size": image_size,
        **(sizes or {}),
    }
    library, _, model = name.partition(":")
    if library == "torchvision":
        return _torchvision(model, classes, channels, arguments or {})
    built = load_builder(name)
    if not isinstance(built, nn.Module):
        if not callable(built):
            raise ValueError(f"model {name} is a {type(built).__name__}, but must be a function")
        given = {key: value for key, value in known.items() if _takes(built, key)}
        given |= arguments or {}
        shown = ", ".join(f"{key}={value!r}" for key, value in given.items())
        built = _run(f"model {name}({shown})", lambda: built(**given))
    if not isinstance(built, nn.Module):
        raise ValueError(f"model {name} makes a {type(built).__name__}, but must make a Module")
    return built


def load_builder(name: str) -> Any:
    """What a model's name refers to, where it is none of torchvision.

    Raises:
        ValueError: there is no such thing, or importing it raises an exception; one line.
    """
    place, _, attribute = name.rpartition(":")
    if place.endswith(".py"):
        module = _run(f"model {name}", lambda: _module_of_file(Path(place).expanduser()))
        if not hasattr(module, attribute):
            raise ValueError(f"model {name}: {place} has no {attribute!r}")
        return getattr(module, attribute)
    if name not in ARCHITECTURES and (not place or not attribute):
        raise ValueError(f"model {name!r} must be of the form {FORMS}")
    return _run(f"model {name}", lambda: ARCHITECTURES.load(name))


def _module_of_file(path: Path) -> Any:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    # Files beside it can be imported by it; a name of its own keeps it from replacing another.
    plugins.find_plugins_in(path.parent, *plugins.plugin_folders())
    for folder in map(str, plugins.plugin_folders()):
        if folder not in sys.path:
            sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(f"_own_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _run(where: str, call: Callable[[], Any]) -> Any:
    """Call a user's code; whatever it raises becomes one line with the place in it."""
    try:
        return call()
    except ValueError as error:
        raise ValueError(f"{where}: {_first_line(error)}") from error
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = "" if frame.filename == __file__ else f" ({frame.filename}, line {frame.lineno})"
        text = f"{type(error).__name__}: {_first_line(error)}"
        raise ValueError(f"{where}: {text}{place}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function has a parameter of this name; what takes any is not asked for it."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return name in parameters and parameters[name].kind in kinds


def _torchvision(name: str, classes: int, channels: int, arguments: Mapping[str, Any]) -> nn.Module:
    from torchvision import models

    known = models.list_models(models)
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"model torchvision:{name}: torchvision has no such classifier{hint}")
    given = {"num_classes": classes, "weights": None, **arguments}
    model = _run(f"model torchvision:{name}", lambda: models.get_model(name, **given))
    _set_channels(model, channels)
    built: nn.Module = model
    return built


def _set_channels(model: nn.Module, channels: int) -> None:
    """Give the first convolution as many input channels as the images have."""
    for parent in model.modules():
        for name, layer in parent.named_children():
            if not isinstance(layer, nn.Conv2d):
                continue
            if layer.in_channels != channels and layer.groups == 1:
                replaced = nn.Conv2d(
                    channels,
                    layer.out_channels,
                    layer.kernel_size,  # type: ignore[arg-type]
                    layer.stride,  # type: ignore[arg-type]
                    layer.padding,  # type: ignore[arg-type]
                    layer.dilation,  # type: ignore[arg-type]
                    bias=layer.bias is not None,
                )
                setattr(parent, name, replaced)
            return
