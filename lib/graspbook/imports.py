"""What a module depends on: read from its imports, so that no list is kept by hand."""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).parent
NAME = LIBRARY.name


def imported_names(source: str) -> set[str]:
    """Dotted names of all that Python source imports, inside functions too.

    source: text. `from a import b` gives `a` and `a.b`, since `b` may be a module.
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def module_file(name: str) -> Path | None:
    """The file of a module or package of this library.

    name: dotted. Returns None for one that is no module of this library.
    """
    first, *rest = name.split(".")
    if first != NAME:
        return None
    path = LIBRARY.joinpath(*rest)
    found = (path.with_suffix(".py") if rest else path, path / "__init__.py")
    return next((file for file in found if file.is_file()), None)


def import_closure(names: Iterable[str]) -> list[Path]:
    """Files of modules of this library and of all that they import, directly or not, sorted.

    names: dotted names; those of other packages do not count. A package brings along its
    `__init__`, and so do the packages above a module, but for the topmost one.
    """
    files: set[Path] = set()
    waiting = set(names)
    while waiting:
        parents = {name.rpartition(".")[0] for name in waiting}
        modules = map(module_file, (waiting | parents) - {NAME})
        found = {file for file in modules if file} - files
        files |= found
        waiting = set().union(*map(_imports_of, found))
    return sorted(files)


@cache
def _imports_of(file: Path) -> set[str]:
    return imported_names(file.read_text(encoding="utf-8"))
