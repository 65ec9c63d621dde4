"""What a run was made with, recorded beside its results: code, packages, machine."""

import os
import platform
import subprocess
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any


def provenance() -> dict[str, Any]:
    """Revision and state of the code, versions of Python and direct packages, processor and cores.

    All of it is plain data.
    """
    return {
        "revision": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain")),
        "python": platform.python_version(),
        "packages": package_versions(),
        "system": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
    }


def package_versions() -> dict[str, str]:
    """{name: version} of the packages that pyproject.toml asks for without extras, in its order."""
    names = [line for line in requires("graspbook") or [] if ";" not in line]
    return {"graspbook": version("graspbook")} | {name: version(name) for name in names}


def processor() -> str:
    """The processor's name as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _git(*arguments):
    """Output of a git command on the source tree, None where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
