"""A user's own code, named by import path: `package.module` or `package.module:name`.

It is looked for beside the config and among the installed packages, in this order, and after
everything else that Python finds: a file of the user shadows nothing.
"""

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

VARIABLE = "GRADVAL_PLUGINS"


def find_plugins_in(*folders: str | Path) -> None:
    """Let this process and its children find plugins in these folders."""
    os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys(str(Path(f).resolve()) for f in folders))


def plugin_folders() -> tuple[Path, ...]:
    """Where plugins are looked for before the installed packages."""
    return tuple(map(Path, filter(None, os.environ.get(VARIABLE, "").split(os.pathsep))))


def split_path(path: str) -> tuple[str, str | None]:
    """Module and name of an import path; the name is None if the path is a module's."""
    module, _, name = path.partition(":")
    return module, name or None


def load(path: str) -> Any:
    """The module or the named object at an import path.

    Raises:
        ValueError: there is no such module or name, or the module cannot be imported; one line.
    """
    module_name, name = split_path(path)
    module = _import(module_name)
    if name is None:
        return module
    try:
        return getattr(module, name)
    except AttributeError:
        raise ValueError(f"module {module_name} has no {name!r}") from None


def exists(path: str) -> bool:
    """Whether there is a module at an import path; it is not imported, packages above it are."""
    _extend_search()
    try:
        return find_spec(split_path(path)[0]) is not None
    except (ImportError, ValueError):
        return False


def _import(name: str) -> ModuleType:
    _extend_search()
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise ValueError(f"module {name} cannot be imported: {error}") from error
        places = "".join(f"{folder}, " for folder in plugin_folders())
        raise ValueError(
            f"there is no module {name} in {places}or among the installed packages"
        ) from None
    except ImportError as error:
        raise ValueError(f"module {name} cannot be imported: {error}") from error


def _extend_search() -> None:
    for folder in map(str, plugin_folders()):
        if folder not in sys.path:
            sys.path.append(folder)
