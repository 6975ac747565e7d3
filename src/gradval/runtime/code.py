"""Which source code a workflow runs: this checkout's, and its digest as a reason to rerun.

A digest follows names. It begins with all of a script and goes on with every function, class and
constant of this package that what is reached so far uses by name, wherever that is defined.
Besides count

- what an imported module does at its top level beyond plain definitions: statements with effects,
  definitions under decorators that may register them, constants that the package computes;
- all of a module that is used as an object, or from which an unknown name is taken;
- files beside a module that a reached string names.

Comments, layout, docstrings, what only type checkers see, and the place of X
"""

import ast
import hashlib
import os
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from gradval.runtime import plugins
from gradval.runtime.source import (
    EFFECTS,
    WHOLE,
    Bindings,
    Chain,
    Place,
    SourceModule,
    Statement,
    Survey,
    read_module,
)

PACKAGE = Path(__file__).parents[1]
NAME = PACKAGE.name
# What only says where names are found: calls of `gradval.runtime.registry.Registry`, and the
# literal name -> module from which a package's `__getattr__` exports lazily.
REGISTRY, LAZY_EXPORTS = "Registry", "_PUBLIC"

# Installed packages of users whose modules are followed like our own: top-level name -> folder.
_installed: dict[str, Path] = {}


def put_checkout_first() -> None:
    """Let child processes import this very copy of the package, whatever else is installed."""
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = dict.fromkeys([str(PACKAGE.parent), *filter(None, others)])
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)


@cache
def code_digest(script: str | Path, *chosen: str) -> str:
    """Digest of the code that a script runs.

    Args:
        script: path of a Python file.
        chosen: import paths of what it chooses from registries: `package.module:name`, or a module
            of which everything counts; of this package or a plugin.

    Returns:
        16 hexadecimal digits.

    Raises:
        ValueError: an import path leads nowhere, or a module has a star import.
    """
    found = places_reached(script, *chosen)
    lines = [f"{':'.join(place)} {found[place]}" for place in sorted(found) if found[place]]
    content = "\n".join(lines)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def places_reached(script: str | Path, *chosen: str) -> dict[Place, str]:
    """What a script's digest is made of: place -> digest of what stands there, empty for nothing.

    Arguments and errors are those of `code_digest`; the script itself is `("", WHOLE)`.
    """
    places = [_chosen_place(path) for path in chosen]
    module = read_module(Path(script))
    text, uses = _describe(module, module.statements)
    found = {("", WHOLE): text}
    pending = [*uses, *places, *_run_by_imports(module)]
    while pending:
        place = pending.pop()
        if place not in found and place[0]:
            found[place], uses = _content(place)
            pending += uses
    return found


def file_digest(path: str | Path) -> str:
    """Digest of a file's content, 16 hexadecimal digits.

    Among a rule's parameters it stands for a file of the checkout, whose time says nothing.
    """
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def forget_sources() -> None:
    """Read every file anew from now on."""
    for cached in (code_digest, _module, _content):
        cached.cache_clear()


def _chosen_place(path: str) -> Place:
    name, attribute = plugins.split_path(path)
    if _module(name) is None:
        _follow_installed(name)
    module = _module(name)
    if module is None:
        raise ValueError(f"there is no module {name}")
    if attribute is None:
        return name, WHOLE
    if attribute not in module.definitions and attribute not in module.imports:
        raise ValueError(f"module {name} has no {attribute!r}")
    return name, attribute


@cache
def _content(place: Place) -> tuple[str, tuple[Place, ...]]:
    """Digest of what stands at a place, and the places that it uses."""
    name, attribute = place
    module = _module(name)
    if module is None:
        return "", ()
    if attribute == EFFECTS:
        text, uses = _describe(module, module.effects)
        return text, (*uses, *_run_by_imports(module))
    if attribute == WHOLE:
        text, uses = _describe(module, module.statements)
        imported = [_found(*target) for targets in module.imports.values() for target in targets]
        return text, (*uses, (name, EFFECTS), *(place for places in imported for place in places))
    text, uses = _describe(module, module.definitions.get(attribute, []))
    return text, (*uses, (name, EFFECTS))


def _describe(
    module: SourceModule, statements: Iterable[Statement]
) -> tuple[str, tuple[Place, ...]]:
    """Digest of statements and of what their names stand for, and the places that they use."""
    lines: list[str] = []
    uses: set[Place] = set()
    for statement in statements:
        if _is_index(statement.node):
            continue
        survey = Survey()
        survey.visit(statement.node)
        lines += survey.text
        for chain in sorted(survey.chains):
            targets = _targets(module, chain, statement.imports)
            if targets:
                lines.append(f"{'.'.join(chain)} is {sorted(targets)}")
                uses |= targets
        for text in sorted(survey.strings):
            uses |= _named_module(text)
            lines += _named_file(module, text)
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""
    return digest, tuple(uses)


def _is_index(node: ast.stmt) -> bool:
    """Whether a statement only says where names are found: a registry, or lazy exports."""
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if any(isinstance(target, ast.Name) and target.id == LAZY_EXPORTS for target in targets):
        return True
    function = node.value.func if isinstance(node.value, ast.Call) else None
    return isinstance(function, ast.Name) and function.id == REGISTRY


def _run_by_imports(module: SourceModule) -> list[Place]:
    """Modules whose top level runs before this one's: those imported and the packages above."""
    names = {module.name, *module.imported}
    above = {
        name.rsplit(".", depth)[0] for name in names for depth in range(1, name.count(".") + 1)
    }
    return [(name, EFFECTS) for name in (names | above) - {module.name}]


# --- What names stand for -------------------------------------------------------------------------
def _targets(module: SourceModule, chain: Chain, local: Bindings) -> set[Place]:
    """Where what a chain of names stands for is defined; empty for builtins and local names."""
    root, *rest = chain
    if root == "globals":
        return {(module.name, WHOLE)}
    found: set[Place] = {(module.name, root)} if root in module.definitions else set()
    for name, attribute in {*module.imports.get(root, ()), *local.get(root, ())}:
        found |= _found(name, *([] if attribute == WHOLE else [attribute]), *rest)
    return found


def _found(name: str, *attributes: str) -> set[Place]:
    """The definitions behind a module's attributes, through re-exports and submodules."""
    module = _module(name)
    if module is None:
        inner = ".".join((name, *attributes[:1]))
        if attributes and _module(inner) is not None:
            return _found(inner, *attributes[1:])
        # Of somebody else's: which one counts, but not what is in it.
        return {(inner, WHOLE)}
    if not attributes or attributes[0] == WHOLE:
        return {(name, WHOLE)}
    first, *rest = attributes
    if first in module.definitions:
        return {(name, first)}
    if first in module.imports:
        return {
            place
            for base, attribute in module.imports[first]
            for place in _found(base, *([] if attribute == WHOLE else [attribute]), *rest)
        }
    if _module(f"{name}.{first}") is not None:
        return _found(f"{name}.{first}", *rest)
    exported = _lazy_exports(module).get(first)
    if exported is not None:
        return {(name, "__getattr__"), *_found(exported, first, *rest)}
    return {(name, WHOLE)}


def _lazy_exports(module: SourceModule) -> dict[str, str]:
    """Name -> module of what a module's `__getattr__` loads."""
    if "__getattr__" not in module.definitions:
        return {}
    for statement in module.definitions.get(LAZY_EXPORTS, []):
        if isinstance(statement.node, ast.Assign):
            exports: dict[str, str] = ast.literal_eval(statement.node.value)
            return exports
    return {}


def _named_module(text: str) -> set[Place]:
    """The module of the package that a string names, as `import_module` would take it."""
    is_module = text.startswith(f"{NAME}.") and _module(text) is not None
    return {(text, WHOLE)} if is_module else set()


def _named_file(module: SourceModule, text: str) -> list[str]:
    """Digest of the data file beside the module that a string names."""
    if "." not in text or "\n" in text or len(text) > 100 or text.endswith(".py"):
        return []
    path = module.path.parent / text
    if not path.is_file():
        return []
    return [f"{text} {hashlib.sha256(path.read_bytes()).hexdigest()}"]


# --- Files of modules -----------------------------------------------------------------------------
@cache
def _module(name: str) -> SourceModule | None:
    """A module of this package or of a plugin, None for anything else."""
    top, *parts = name.split(".")
    folder = _folder_of(top)
    if folder is None:
        return None
    base = folder.joinpath(top, *parts)
    for path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
        if path.is_file():
            return read_module(path, name)
    return None


def _folder_of(top: str) -> Path | None:
    if top == NAME:
        return PACKAGE.parent
    for folder in plugins.plugin_folders():
        if (folder / top).is_dir() or (folder / f"{top}.py").is_file():
            return folder
    return _installed.get(top)


def _follow_installed(name: str) -> None:
    """From now on follow the installed package in which a plugin lies."""
    top = name.partition(".")[0]
    spec = find_spec(top) if top else None
    if spec is None or spec.origin is None or top in _installed:
        return
    path = Path(spec.origin)
    _installed[top] = path.parents[1] if path.name == "__init__.py" else path.parent
    _module.cache_clear()
    _content.cache_clear()
