"""What a Python file says: its definitions, its imports, and what it does when it is imported."""

import ast
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

# A place in a module: its dotted name and a name in it, or one of the two below.
Place = tuple[str, str]
WHOLE, EFFECTS = "*", ""
Bindings = dict[str, set[Place]]
Chain = tuple[str, ...]

# Decorators that do nothing but change what they decorate.
PLAIN_DECORATORS = {
    "cache",
    "cached_property",
    "classmethod",
    "contextmanager",
    "dataclass",
    "lru_cache",
    "overload",
    "property",
    "runtime_checkable",
    "staticmethod",
    "total_ordering",
    "wraps",
}
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


@dataclass(eq=False)
class Statement:
    """A top-level statement without docstrings and imports, and what it imports itself."""

    node: ast.stmt
    imports: Bindings


@dataclass
class SourceModule:
    """A module as its file defines it.

    Attributes:
        name: dotted; empty for a script.
        path: its file.
        statements: all of it but docstrings and imports.
        definitions: name -> the statements that give it a value.
        effects: statements that do more than define a name.
        imports: name -> what it stands for in all of the module.
        imported: dotted names of the modules (or of names in them) that are imported with it.
    """

    name: str
    path: Path
    statements: list[Statement] = field(default_factory=list)
    definitions: dict[str, list[Statement]] = field(default_factory=dict)
    effects: list[Statement] = field(default_factory=list)
    imports: Bindings = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)


def read_module(path: Path, name: str = "") -> SourceModule:
    """Parse a file.

    Raises:
        ValueError: it has a star import.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    module = SourceModule(name, path)
    body, imports = _strip(tree.body)
    for imported in imports:
        _bind(module, imported, module.imports)
        module.imported |= _modules(module, imported)
    for node in body:
        _add(module, node)
    module.effects = [s for s in module.statements if _has_effects(module, s.node)]
    return module


@dataclass
class Survey:
    """What a tree says.

    Attributes:
        text: the tree in words, without positions; trees of one meaning have one text.
        chains: every name that it uses, with the attributes that are taken of it.
        strings: every literal string.
    """

    text: list[str] = field(default_factory=list)
    chains: set[Chain] = field(default_factory=set)
    strings: set[str] = field(default_factory=set)

    def visit(self, node: ast.AST) -> None:
        """Add a tree."""
        kind = type(node)
        self.text.append(kind.__name__)
        if kind is ast.Name or kind is ast.Attribute:
            chain = _chain(node)
            if chain:
                self.chains.add(chain)
                self.text.append(".".join(chain))
                return
        elif isinstance(node, ast.AnnAssign) and isinstance(node.annotation, ast.Constant):
            self._visit_quoted(node.annotation.value)
        for name in _fields(kind):  # type: ignore[arg-type]
            value = getattr(node, name)
            if isinstance(value, ast.AST):
                self.visit(value)
            elif isinstance(value, list):
                self.text.append(str(len(value)))
                for item in value:
                    if isinstance(item, ast.AST):
                        self.visit(item)
                    else:
                        self.text.append(repr(item))
            else:
                self.text.append(repr(value))
                if kind is ast.Constant and isinstance(value, str):
                    self.strings.add(value)

    def _visit_quoted(self, annotation: object) -> None:
        """The names in a quoted annotation, which pydantic evaluates."""
        with suppress(SyntaxError):
            self.visit(ast.parse(str(annotation), mode="eval").body)


@cache
def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    return tuple(name for name in kind._fields if name not in ("ctx", "kind", "type_comment"))


def _add(module: SourceModule, node: ast.stmt) -> None:
    imports: Bindings = {}
    for inner in _take_imports(node):
        _bind(module, inner, imports)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            # Under `if` or `try`: bound and run for all of the module.
            _bind(module, inner, module.imports)
            module.imported |= _modules(module, inner)
    statement = Statement(node, imports)
    module.statements.append(statement)
    for name in _names_bound(node):
        module.definitions.setdefault(name, []).append(statement)


def _names_bound(node: ast.stmt) -> set[str]:
    """Names that a top-level statement gives a value in its module."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    names = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
            names.add(part.id)
        elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(part.name)
    return names


def _has_effects(module: SourceModule, node: ast.stmt) -> bool:
    """Whether running a statement may do more than give names a value."""
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        parts = [part for target in targets for part in ast.walk(target)]
        if any(isinstance(part, ast.Attribute | ast.Subscript) for part in parts):
            return True
        return node.value is not None and _calls_own(module, node.value)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
        return _is_registered(node) or any(_calls_own(module, value) for value in defaults)
    if isinstance(node, ast.ClassDef):
        return (
            bool(node.keywords)
            or _is_registered(node)
            or any(_calls_own(module, base) for base in node.bases)
            or any(_has_effects(module, inner) for inner in node.body)
        )
    return not isinstance(node, ast.Pass)


def _is_registered(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """Whether a decorator may put a definition where others find it."""
    for decorator in node.decorator_list:
        function = decorator.func if isinstance(decorator, ast.Call) else decorator
        chain = _chain(function)
        if not chain or chain[-1] not in PLAIN_DECORATORS:
            return True
    return False


def _calls_own(module: SourceModule, node: ast.expr) -> bool:
    """Whether an expression calls what this module defines or imports from its own package."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and (chain := _chain(part.func)):
            top = module.name.partition(".")[0]
            places = module.imports.get(chain[0], set())
            if chain[0] in module.definitions or any(
                place[0].partition(".")[0] == top for place in places
            ):
                return True
    return False


def _chain(node: ast.AST) -> Chain:
    """("a", "b", "c") of `a.b.c`; empty for anything but names."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()


# --- Imports and what means nothing ---------------------------------------------------------------
Import = ast.Import | ast.ImportFrom


def _strip(body: list[ast.stmt]) -> tuple[list[ast.stmt], list[Import]]:
    """A block without docstrings, without what only type checkers see, and without its imports."""
    kept: list[ast.stmt] = []
    imports: list[Import] = []
    for node in body:
        if isinstance(node, Import):
            imports.append(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            pass
        elif isinstance(node, ast.If) and _chain(node.test)[-1:] == ("TYPE_CHECKING",):
            rest, more = _strip(node.orelse)
            kept += rest
            imports += more
        else:
            kept.append(node)
    return kept, imports


def _take_imports(node: ast.AST) -> list[Import]:
    """Strip every block within a statement, and return the imports that were there."""
    found: list[Import] = []
    for name in _BLOCKS:
        block = getattr(node, name, None)
        if not isinstance(block, list):
            continue
        if name not in ("handlers", "cases"):
            block, imports = _strip(block)
            found += imports
            if name == "body" and not block:
                block = [ast.Pass()]
            setattr(node, name, block)
        for inner in block:
            found += _take_imports(inner)
    return found


def _bind(module: SourceModule, node: Import, bindings: Bindings) -> None:
    """Note what the names that an import binds stand for."""
    for alias in node.names:
        if alias.name == "*":
            raise ValueError(f"{module.path}:{node.lineno}: name what is imported instead of *")
        top = alias.name.partition(".")[0]
        if isinstance(node, ast.ImportFrom):
            place, bound = (_base(module, node), alias.name), alias.name
        else:
            place, bound = (alias.name if alias.asname else top, WHOLE), top
        bindings.setdefault(alias.asname or bound, set()).add(place)


def _modules(module: SourceModule, node: Import) -> set[str]:
    """What an import may run: modules, or names in them."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    base = _base(module, node)
    return {base, *(f"{base}.{alias.name}" for alias in node.names)}


def _base(module: SourceModule, node: ast.ImportFrom) -> str:
    is_package = module.path.name == "__init__.py"
    package = module.name if is_package else module.name.rpartition(".")[0]
    return resolve_name("." * node.level + (node.module or ""), package)
