"""What a run was made with, recorded beside its results: code, packages, machine."""

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from graspbook import __version__


def provenance() -> dict[str, Any]:
    """Revision and state of the code, versions of Python and direct packages, processor and cores.

    All of it is plain data. Outside a checkout of this project the revision is the package's
    version: a repository that happens to lie above is somebody else's.
    """
    ours = in_checkout()
    return {
        "revision": (_git("rev-parse", "HEAD") if ours else None) or __version__,
        "dirty": ours and bool(_git("status", "--porcelain")),
        "python": platform.python_version(),
        "packages": package_versions(),
        "system": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
    }


def in_checkout() -> bool:
    """Whether this file is tracked by a checkout of this project, and not only below another."""
    top = _git("rev-parse", "--show-toplevel")
    file = Path(__file__).resolve()
    if not top or Path(top).resolve() / "lib" / "graspbook" / file.name != file:
        return False
    tracked = _git("ls-files", "--error-unmatch", str(file), str(Path(top) / "pyproject.toml"))
    if not tracked:
        return False
    text = (Path(top) / "pyproject.toml").read_text(encoding="utf-8")
    return re.search(r'^name = "graspbook"$', text, re.M) is not None


def version_text() -> str:
    """Version and revision for people: "0.1.0", and in a checkout the revision and its state."""
    if not in_checkout():
        return __version__
    changed = ", with local changes" if _git("status", "--porcelain") else ""
    return f"{__version__} (revision {(_git('rev-parse', 'HEAD') or 'none')[:12]}{changed})"


def package_versions() -> dict[str, str]:
    """{name: version} of the installed packages that pyproject.toml asks for, in its order.

    Those of the extras view, lab and dev have no part in a run and are left out.
    """
    found = {"graspbook": __version__}
    for line in _requirements():
        name, _, marker = line.partition(";")
        if not re.search(r"""extra == ["'](view|lab|dev)["']""", marker):
            try:
                found[name.strip()] = version(name.strip())
            except PackageNotFoundError:
                continue
    return found


def processor() -> str:
    """The processor's name as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _requirements():
    try:
        return requires("graspbook") or []
    except PackageNotFoundError:  # a folder on PYTHONPATH
        return []


def _git(*arguments):
    """Output of a git command on the source tree, None where there is no git or no repository."""
    # A hook of another repository sets GIT_DIR and the like.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            env=clean,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
