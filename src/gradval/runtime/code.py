"""Which source code a workflow runs: this checkout's, and its digest as a reason to rerun."""

import ast
import hashlib
import os
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
NAME = PACKAGE.name


def put_checkout_first() -> None:
    """Let child processes import this very copy of the package, whatever else is installed."""
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = dict.fromkeys([str(PACKAGE.parent), *filter(None, others)])
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)


def code_digest(script: str | Path) -> str:
    """Digest of a script and of every module of this package that it imports, however indirectly.

    Comments and layout do not count: the syntax trees are digested. The package's own
    `__init__.py` exports lazily and therefore imports nothing by itself.

    Args:
        script: path of a Python file.

    Returns:
        16 hexadecimal digits.
    """
    pending = [Path(script).resolve()]
    found: dict[str, str] = {}
    while pending:
        path = pending.pop()
        key = str(path.relative_to(PACKAGE)) if path.is_relative_to(PACKAGE) else path.name
        if key in found:
            continue
        tree, imports = _parse(path)
        found[key] = tree
        pending.extend(imports)
    content = "\n".join(f"{key}: {found[key]}" for key in sorted(found))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


@cache
def _parse(path: Path) -> tuple[str, tuple[Path, ...]]:
    """Digest of a file's syntax tree, and the files of this package that it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return digest, tuple(_imports(tree, path))


def _imports(tree: ast.AST, path: Path) -> Iterator[Path]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), _package_of(path))
            # `from gradval.x import y`: y may be a module or a name in x.
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            yield from _files_of(name)


def _package_of(path: Path) -> str:
    if not path.is_relative_to(PACKAGE):
        return ""
    return ".".join((NAME, *path.parent.relative_to(PACKAGE).parts))


def _files_of(module: str) -> Iterator[Path]:
    """The file of a module of this package and the `__init__.py` of each package above it."""
    parts = module.split(".")
    if parts[0] != NAME:
        return
    for depth in range(1, len(parts) + 1):
        base = PACKAGE.joinpath(*parts[1:depth])
        for candidate in (base / "__init__.py", base.with_suffix(".py")):
            if candidate.is_file():
                yield candidate
