"""Convex parts of any mesh, by CoACD (Wei et al. 2022), kept in a cache since making takes seconds.

The parts stand for the solid in simulation, in collision tests and for mass properties. So cavities
have to stay open and rims thin.
"""

import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import trimesh
from scipy.spatial import QhullError

from graspbook.errors import MeshError
from graspbook.objects import coacd_worker
from graspbook.storage import atomic_path, cache_dir, content_hash

# A shorter tree search than CoACD's own: a quarter of the time for parts of the same quality.
# Measured on a mug, a cup and a bowl: 34 to 76 parts in 6 to 10 s, walls 0.3 mm too thick on
# average and 1.5 mm at worst in 95 % of the surface.
SETTINGS = {
    "threshold": 0.04,
    "resolution": 1000,
    "preprocess_resolution": 30,
    "mcts_nodes": 10,
    "mcts_iterations": 30,
    "mcts_max_depth": 2,
    "seed": 0,
}
TIME_LIMIT = 600  # seconds for one mesh; the slowest seen that ends takes a tenth of it
# Shares of the edges: of one face alone, and of three faces or more, that CoACD takes as they are.
MOST_OPEN, MOST_TANGLED = 0.01, 0.002


def convex_parts(mesh: trimesh.Trimesh) -> tuple[trimesh.Trimesh, ...]:
    """Convex parts of a mesh in its own frame, closed, largest first.

    A closed surface, or one with a few small cracks, is cut as it is. An open one (more than 1 % of
    its edges have only one face), a tangled one (more than 0.2 % have three or more) and one on
    which CoACD crashes are first made solid on a grid. That thickens walls to about a thirtieth of
    the extent. The parts are kept under `storage.cache_dir()` by the content of the vertices, faces
    and settings. CoACD runs in a process of its own; a line on stderr says that it does.

    Raises MeshError when it crashes, takes over TIME_LIMIT, or no part with a volume comes out.

    mesh: in metres.
    """
    vertices, faces = np.array(mesh.vertices, float), np.array(mesh.faces, np.int64)
    key = content_hash(vertices, faces, SETTINGS, version("coacd"))
    file = cache_dir() / "parts" / f"{key}.npz"
    if file.is_file():
        with np.load(file) as stored:
            clouds = [stored[name] for name in stored.files]
    else:
        clouds = _decompose(vertices, faces)
        with atomic_path(file) as temporary:
            np.savez(temporary, *clouds)
    return tuple(trimesh.convex.convex_hull(cloud) for cloud in clouds)


def is_solid(faces: np.ndarray) -> bool:
    """Whether a surface is cut as it is, and need not be made solid first.

    faces: (F, 3) vertex indices.
    """
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    return bool(np.mean(counts == 1) <= MOST_OPEN and np.mean(counts > 2) <= MOST_TANGLED)


def _decompose(vertices, faces):
    """Vertices of the convex parts, one (V, 3) array per part, largest part first."""
    centre = vertices.mean(axis=0)
    print(
        f"making convex parts of a mesh of {len(faces)} faces; they are kept for later runs",
        file=sys.stderr,
        flush=True,
    )
    parts = _run_coacd(vertices - centre, faces, "off") if is_solid(faces) else None
    if parts is None:
        parts = _run_coacd(vertices - centre, faces, "on")
    if parts is None:
        raise MeshError(
            f"CoACD crashed on a mesh of {len(faces)} faces, so it has no convex parts; expected a"
            " closed surface whose faces do not intersect: repair or remesh it"
        )
    hulls = [hull for points in parts if (hull := _hull(points)) is not None]
    volumes = np.array([hull.volume for hull in hulls])
    kept = [i for i in np.argsort(-volumes, kind="stable") if volumes[i] > 1e-6 * volumes.sum()]
    if not kept:
        raise MeshError(f"a mesh of {len(faces)} faces has no convex part with a volume")
    return [hulls[i].vertices + centre for i in kept]


def _hull(points):
    """The convex hull of a part, None where it is flat."""
    try:
        return trimesh.convex.convex_hull(points)
    except QhullError:
        return None


def _run_coacd(vertices, faces, make_solid):
    """Vertices of CoACD's parts, unless it crashes; raises MeshError where it takes too long."""
    settings = json.dumps(SETTINGS | {"preprocess_mode": make_solid})
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "mesh.npz"), Path(folder, "parts.npz")
        np.savez(source, vertices=vertices, faces=faces, settings=settings)
        # -P: modules beside the script do not hide others of their name.
        command = [sys.executable, "-P", coacd_worker.__file__, str(source), str(target)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
            try:
                _, said = child.communicate(timeout=TIME_LIMIT)
            except subprocess.TimeoutExpired:
                raise MeshError(
                    f"CoACD found no convex parts of a mesh of {len(faces)} faces within"
                    f" {TIME_LIMIT} s; expected a simpler or cleaner surface: remesh it"
                ) from None
            finally:
                child.kill()
        if child.returncode > 0:  # an error of Python's, such as a missing library
            reason = (said.decode(errors="replace").strip() or "no message").splitlines()[-1]
            raise MeshError(f"CoACD failed on a mesh of {len(faces)} faces ({reason})")
        if child.returncode < 0 or not target.is_file():
            return None
        with np.load(target) as stored:
            return [stored[name] for name in stored.files]
