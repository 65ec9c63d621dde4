import subprocess
import sys

import pytest
import trimesh

from graspbook.errors import ParameterError
from graspbook.figures.viewer import open_viewer

BOX = trimesh.creation.box([0.04, 0.05, 0.06])


def test_without_a_screen_the_message_says_so(monkeypatch):
    pytest.importorskip("polyscope")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(ParameterError, match="no screen is available"):
        open_viewer(BOX)


def test_without_polyscope_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "polyscope", None)
    with pytest.raises(ParameterError, match=r"pip install 'graspbook\[view\]'"):
        open_viewer(BOX)


def test_an_unknown_backend_is_refused():
    pytest.importorskip("polyscope")
    with pytest.raises(ParameterError, match="openGL_bogus"):
        open_viewer(BOX, backend="openGL_bogus")


def test_a_scene_is_registered_on_the_mock_backend(tmp_path):
    """In a process of its own, since polyscope keeps the first backend for good."""
    pytest.importorskip("polyscope")
    code = """
import numpy as np, polyscope, trimesh
from graspbook.figures.viewer import open_viewer
box = trimesh.creation.box([0.04, 0.05, 0.06])
poses = np.repeat(np.eye(4)[None], 3, axis=0)
for _ in range(2):
    open_viewer(box, np.zeros((10, 3)), poses, [0.1, 0.5, 0.9], backend="openGL_mock", frames=1)
grasps = polyscope.get_curve_network("grasps")
assert polyscope.get_surface_mesh("object").n_faces() == 12
assert polyscope.get_point_cloud("observed points").n_points() == 10
assert (grasps.n_nodes(), grasps.n_edges()) == (21, 18)
open_viewer(box, backend="openGL_mock", frames=1)
assert not polyscope.has_curve_network("grasps")
"""
    environment = {"PYTHONPATH": ":".join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert not list(tmp_path.glob(".polyscope*"))  # no preferences left behind
