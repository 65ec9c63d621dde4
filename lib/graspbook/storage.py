"""Files: atomic writes, JSON results, content hashes, the cache."""

import ast
import atexit
import glob
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from graspbook.errors import OutputError
from graspbook.imports import import_closure, module_file

# Networks that come with the package, see `workbook.ship`.
SHIPPED = Path(__file__).parent / "weights"


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it when the block ends well, else removed.

    Folders on the way are made; what a killed process left of the same file goes. Raises
    OutputError where it cannot be written.

    path: of the file to write.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        process = f"{os.getpid()}-{threading.get_ident()}"
        temporary = path.with_name(f".{path.stem}-{process}{path.suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        yield temporary
        os.replace(temporary, path)
        _remove_leftovers(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(*paths: Path | str) -> None:
    """Raise OutputError where files could not be written, before the work that they are for.

    Makes nothing.

    paths: of the files.
    """
    for path in map(Path, paths):
        if path.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder")
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        if not folder.is_dir():
            raise OutputError(f"cannot write {path}: {folder} is not a folder")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(f"cannot write {path}: no permission to write in {folder}")
    if len({Path(path).resolve() for path in paths}) < len(paths):
        raise OutputError(
            f"cannot write {', '.join(map(str, paths))}: {len(paths)} results need different files"
        )


def gather(folder: Path | str, **files: Path | str) -> Path:
    """Copy weights files into a folder as `<network>.safetensors`, and return the folder.

    folder: made if it is not there.
    files: by network.
    """
    for network, file in files.items():
        with atomic_path(Path(folder) / f"{network}.safetensors") as temporary:
            shutil.copyfile(file, temporary)
    return Path(folder)


def _remove_leftovers(path):
    """Remove temporary files of `path` whose process is gone."""
    for leftover in path.parent.glob(f".{glob.escape(path.stem)}-*-*{glob.escape(path.suffix)}"):
        try:
            os.kill(int(leftover.name.split("-")[-2]), 0)
        except ProcessLookupError:
            leftover.unlink(missing_ok=True)
        except (ValueError, PermissionError):
            pass  # not ours, or of another user's living process


def write_json(path: Path | str, value: Any) -> None:
    """Write plain data as sorted, indented JSON.

    path: of the file.
    value: numbers, strings, lists and dicts; numpy scalars and arrays too.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, sort_keys=True, default=plain) + "\n")


def plain(value: Any) -> Any:
    """A numpy array or scalar as lists and numbers: what `json` calls for what it does not know.

    Raises TypeError for anything else.

    value: of any type.
    """
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not plain data: {value!r}")


def refuse_endless(tree: Any, most: int) -> None:
    """Raise ValueError where a tree has too many nodes: YAML's aliases can nest without end.

    tree: lists and dicts.
    most: nodes, such as the bytes of the file.
    """
    waiting, count = [tree], 0
    while waiting:
        node = waiting.pop()
        if isinstance(node, list | tuple | dict):
            count += len(node)
            if count > most:
                raise ValueError("its aliases repeat themselves without end")
            waiting.extend(node.values() if isinstance(node, dict) else node)


def refuse_deep(text: str, most: int = 100) -> None:
    """Raise ValueError where brackets nest deeper than YAML's parser can follow in time.

    text: of the file.
    most: brackets within each other.
    """
    depth = 0
    for bracket in re.finditer(r"[][{}]", text):
        depth += 1 if bracket.group() in "[{" else -1
        if depth > most:
            raise ValueError(f"its brackets nest more than {most} deep")


def read_json(path: Path | str) -> Any:
    """The value that `write_json` wrote.

    path: of the file.

    Raises ValueError where it is no JSON, or nests too deeply.
    """
    try:
        return json.loads(Path(path).read_text())
    except RecursionError as error:
        raise ValueError("it nests too deeply") from error


def content_hash(*values: Any) -> str:
    """Hexadecimal SHA-256 (32 digits kept) of values.

    values: arrays count by dtype, shape and bytes, anything else by its JSON.
    """
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        else:
            digest.update(json.dumps(value, sort_keys=True, default=plain).encode())
    return digest.hexdigest()[:32]


def hash_number(*values: Any) -> int:
    """A whole number below 2³² by the content hash of values: what a name adds to a seed.

    values: as for `content_hash`.
    """
    return int(content_hash(*values)[:8], 16)


def object_hash(obj: Any) -> str:
    """Hash of an object's surface and convex parts: all that views, labels and grasps depend on.

    obj: a GraspObject.
    """
    return content_hash(obj.mesh.vertices, obj.mesh.faces, *(part.vertices for part in obj.parts))


def code_hash(*modules: str) -> str:
    """Hash of modules and of all that they import: what a product depends on beside its parameters.

    An edit of the code makes the product again. Comments, docstrings and layout do not count.
    Raises ValueError for a module that is not there.

    modules: of the library, by dotted names ("graspbook.pose").
    """
    for module in modules:
        if module_file(module) is None:
            raise ValueError(f"no module {module!r} in the library")
    digest = hashlib.sha256()
    for file in import_closure(modules):
        digest.update(_syntax(file.read_bytes()))
    return digest.hexdigest()[:32]


@cache
def _syntax(source):
    """The syntax tree of Python source without its docstrings, as bytes."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return ast.dump(tree).encode()


def cache_dir() -> Path:
    """Where things that can be made again are kept.

    `$GRASPBOOK_CACHE`, or `graspbook` in the user's cache folder. Where that cannot be written, a
    temporary folder of this process, with a warning.
    """
    folder = Path(os.environ.get("GRASPBOOK_CACHE") or _users_cache())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    except OSError:
        pass
    made = tempfile.mkdtemp(prefix="graspbook-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    os.environ["GRASPBOOK_CACHE"] = made  # child processes share it
    print(
        f"warning: the cache {folder} is not writable; intermediate results are not kept"
        " (GRASPBOOK_CACHE names another folder)",
        file=sys.stderr,
    )
    return Path(made)


def _users_cache():
    home = os.environ.get("XDG_CACHE_HOME") or Path(os.path.expanduser("~"), ".cache")
    return Path(home) / "graspbook" if os.path.isabs(home) else Path(os.devnull, "no home folder")
