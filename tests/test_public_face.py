"""Public functions say what they take and give: types for all, and a line of the docstring for each
argument.
"""

import ast
import re

import pytest

from graspbook.imports import LIBRARY

FILES = [file for file in sorted(LIBRARY.rglob("*.py")) if ".ipynb_checkpoints" not in file.parts]


def public_functions(tree):
    """(name, function) of the public functions and methods of a module."""
    for node in tree.body:
        if node_is_public(node, ast.FunctionDef):
            yield node.name, node
        elif node_is_public(node, ast.ClassDef):
            for member in node.body:
                if node_is_public(member, ast.FunctionDef):
                    yield f"{node.name}.{member.name}", member


def node_is_public(node, kind):
    return isinstance(node, kind) and not node.name.startswith("_")


def arguments(function):
    """All arguments but `self` and `cls`."""
    given = function.args
    found = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return [item for item in found if item and item.arg not in ("self", "cls")]


def documented(function):
    """Names that begin a line of the docstring, as "points: (N, 3)" or "low, high: m"."""
    found = re.findall(r"^ *(\w+(?:, \w+)*): ", ast.get_docstring(function) or "", re.M)
    return {name for names in found for name in names.split(", ")}


def faults(file):
    for name, function in public_functions(ast.parse(file.read_text(encoding="utf-8"))):
        names = [item.arg for item in arguments(function)]
        untyped = [item.arg for item in arguments(function) if item.annotation is None]
        if untyped or function.returns is None:
            yield f"{name}: no types of {', '.join(untyped) or 'what it returns'}"
        if not ast.get_docstring(function):
            yield f"{name}: no docstring"
        elif missing := set(names) - documented(function):
            yield f"{name}: no line for {', '.join(sorted(missing))}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(LIBRARY)))
def test_public_functions_are_typed_and_documented(file):
    assert not list(faults(file))


def test_what_is_missing_is_found(tmp_path):
    (tmp_path / "room.py").write_text(
        'def f(a: int, b, *, c: int = 0):\n    """Do.\n\n    a, b: of it.\n    """\n'
    )
    found = list(faults(tmp_path / "room.py"))
    assert found == ["f: no types of b", "f: no line for c"]
