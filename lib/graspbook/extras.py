"""Packages that only some of the rooms need, and what to install for them."""

from importlib.util import find_spec

from graspbook.errors import GraspbookError


def require(extra: str, *packages: str) -> None:
    """Check that packages of an extra are installed, without importing them.

    extra: its name in pyproject.toml.
    packages: as they are imported.

    Raises GraspbookError that names the extra.
    """
    missing = [name for name in packages if not _is_there(name)]
    if missing:
        raise GraspbookError(
            f"not installed: {', '.join(missing)}; they come with the extra '{extra}':"
            f" pip install 'graspbook[{extra}]'"
        )


def _is_there(name):
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
