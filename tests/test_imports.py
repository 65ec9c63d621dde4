"""What a module depends on, read from its imports, in a small library made here."""

import pytest

from graspbook import imports

FILES = {
    "__init__.py": "from graspbook.attic import everything",
    "cellar.py": "import os\nimport numpy as np",
    "kitchen/__init__.py": "from graspbook import cellar",
    "kitchen/stove.py": "def cook():\n    from graspbook.kitchen.oven import bake as baked",
    "kitchen/oven.py": "import graspbook.kitchen.stove",
    "attic.py": "from graspbook.kitchen import stove",
}


@pytest.fixture
def library(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(imports, "LIBRARY", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["graspbook.cellar"], ["cellar.py"]),
        (["numpy", "graspbook.nowhere"], []),
        (["graspbook.kitchen"], ["cellar.py", "kitchen/__init__.py"]),
        # In a function, in a circle, and what the package itself imports.
        (
            ["graspbook.kitchen.stove"],
            ["cellar.py", "kitchen/__init__.py", "kitchen/oven.py", "kitchen/stove.py"],
        ),
        (
            ["graspbook.attic"],
            ["attic.py", "cellar.py", *(f"kitchen/{n}.py" for n in ("__init__", "oven", "stove"))],
        ),
    ],
)
def test_closure(library, names, expected):
    found = [str(file.relative_to(library)) for file in imports.import_closure(names)]
    assert found == sorted(expected)


def test_names_of_modules_and_of_what_is_in_them():
    source = "import a.b\nfrom c import d\nfrom . import e\nif True:\n    from f.g import h as i"
    assert imports.imported_names(source) == {"a.b", "c", "c.d", "f.g", "f.g.h"}
