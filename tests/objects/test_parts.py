import subprocess
import sys

import numpy as np
import pytest
import trimesh

from graspbook.errors import MeshError
from graspbook.objects import parts as parts_module
from graspbook.objects.families import make_shape
from graspbook.objects.mesh import load_mesh, notes_of
from graspbook.objects.parts import convex_parts
from graspbook.storage import cache_dir


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRASPBOOK_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def corner():
    """An L of two boxes: the smallest mesh that has to be cut."""
    return trimesh.boolean.union(
        [
            trimesh.creation.box(bounds=[[0, 0, 0], [0.1, 0.02, 0.02]]),
            trimesh.creation.box(bounds=[[0, 0, 0], [0.02, 0.02, 0.1]]),
        ]
    )


def depth_inside(parts, points):
    """How far outside all parts each point is, negative inside one."""
    planes = [
        (p.face_normals, np.einsum("ij,ij->i", p.triangles[:, 0], p.face_normals)) for p in parts
    ]
    return np.min(
        [(points @ normals.T - offsets).max(axis=1) for normals, offsets in planes], axis=0
    )


def test_an_l_becomes_convex_parts_of_its_volume(cache, corner):
    parts = convex_parts(corner)
    assert len(parts) >= 2
    assert all(part.is_volume and part.is_convex for part in parts)
    assert sum(part.volume for part in parts) == pytest.approx(corner.volume, rel=0.02)
    assert [part.volume for part in parts] == sorted((part.volume for part in parts), reverse=True)


def test_parts_come_from_the_cache_the_second_time(cache, corner, monkeypatch):
    first = convex_parts(corner)
    assert list((cache_dir() / "parts").glob("*.npz"))
    monkeypatch.setattr(parts_module, "_decompose", None)
    again = convex_parts(corner)
    assert [p.vertices.tobytes() for p in first] == [p.vertices.tobytes() for p in again]
    assert [p.faces.tobytes() for p in first] == [p.faces.tobytes() for p in again]


def test_another_process_cuts_the_same_bytes(corner, tmp_path):
    corner.export(tmp_path / "corner.ply")
    code = (
        "import sys, trimesh; from graspbook.objects.parts import _decompose; import hashlib;m ="
        " trimesh.load_mesh(sys.argv[1], process=False);print(hashlib.sha256(b''.join(v.tobytes()"
        " for v in _decompose(m.vertices, m.faces))).hexdigest())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code, tmp_path / "corner.ply"],
            env={"PYTHONPATH": ":".join(sys.path), **threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ({"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "2"})
    }
    assert len(runs) == 1 and len(runs.pop()) > 60


def test_the_cavity_of_a_mug_stays_open(cache):
    mug = make_shape("mug", np.random.default_rng(0))
    parts = convex_parts(mug.mesh)
    height = mug.mesh.bounds[1, 2]
    axis = np.stack([np.zeros(20), np.zeros(20), np.linspace(0.4, 1.0, 20) * height], axis=1)
    assert depth_inside(parts, axis).min() > 0.02
    assert 0.98 < sum(part.volume for part in parts) / mug.volume < 1.25
    surface = mug.mesh.triangles_center
    assert depth_inside(parts, surface).max() < 0.001


def test_an_open_surface_becomes_a_tray_with_walls(cache, monkeypatch):
    monkeypatch.setitem(parts_module.SETTINGS, "preprocess_resolution", 10)
    monkeypatch.setitem(parts_module.SETTINGS, "threshold", 0.2)
    box = trimesh.creation.box([0.04, 0.05, 0.06])
    lidless = trimesh.Trimesh(box.vertices, box.faces[box.face_normals[:, 2] < 0.9], process=False)
    assert not lidless.is_watertight
    parts = convex_parts(lidless)
    assert parts and all(part.volume > 0 for part in parts)
    assert depth_inside(parts, box.vertices).max() < 0.006


FAKE = """
import json, os, signal, sys, time
import numpy as np
with np.load(sys.argv[1]) as stored:
    vertices, mode = stored["vertices"], json.loads(str(stored["settings"]))["preprocess_mode"]
if mode in {crashing}:
    os.kill(os.getpid(), signal.SIGSEGV)
if {slow}:
    time.sleep(60)
np.savez(sys.argv[2], vertices)
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a worker that crashes for some modes, or is slow, in place of CoACD."""

    def put(crashing=(), slow=False):
        (tmp_path / "worker.py").write_text(FAKE.format(crashing=crashing, slow=slow))
        monkeypatch.setattr(parts_module.coacd_worker, "__file__", str(tmp_path / "worker.py"))
        monkeypatch.setenv("GRASPBOOK_CACHE", str(tmp_path / "cache"))

    return put


def test_a_crash_of_coacd_is_tried_again_as_a_solid_and_then_told(fake, corner, capsys):
    fake(crashing=("off",))
    assert len(convex_parts(corner)) == 1
    assert "making convex parts of" in capsys.readouterr().err
    fake(crashing=("off", "on"))
    with pytest.raises(MeshError, match="CoACD crashed on a mesh of 12 faces"):
        convex_parts(trimesh.creation.box([0.1, 0.1, 0.1]))


def test_a_mesh_that_takes_too_long_is_refused(fake, corner, monkeypatch):
    fake(slow=True)
    monkeypatch.setattr(parts_module, "TIME_LIMIT", 0.5)
    with pytest.raises(MeshError, match=r"no convex parts of a mesh of \d+ faces within 0.5 s"):
        convex_parts(corner)


def test_ctrl_c_ends_the_child(fake, corner, monkeypatch):
    fake(slow=True)
    children = []

    class Interrupted(subprocess.Popen):
        def communicate(self, *arguments, **options):
            children.append(self)
            raise KeyboardInterrupt

    monkeypatch.setattr(parts_module.subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        convex_parts(corner)
    assert children[0].poll() is not None


def test_a_tangled_mesh_is_made_solid_first(fake):
    """Boxes that share a face: every edge of that face has four faces."""
    fake(crashing=("off",))
    box = trimesh.creation.box([0.1, 0.1, 0.1])
    twin = box.copy()
    twin.apply_translation([0.1, 0, 0])
    tangled = trimesh.util.concatenate([box, twin])
    tangled.merge_vertices()
    _, counts = np.unique(tangled.edges_sorted, axis=0, return_counts=True)
    assert counts.max() > 2 and len(convex_parts(tangled)) == 1


def test_the_mug_that_coacd_crashes_on_gets_parts(real_data, cache):
    mug = load_mesh(real_data / "inputs" / "nonmanifold_mug_68cm.obj", 0.15)
    assert "convex parts are made on a grid" in notes_of(mug)[0]
    parts = convex_parts(mug)
    assert len(parts) > 5 and 1e-4 < sum(part.volume for part in parts) < 6e-4
