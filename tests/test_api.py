"""`import graspbook`: a few lazy names, from points to ranked grasps."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import plotly.io
import pytest
import trimesh

import graspbook
from graspbook.grasp_set import Grasps
from graspbook.perception.capture import Capture

FORMAT = "application/vnd.plotly.v1+json"
LONG = np.array([[0, 0, 400.0], [0, 500, 400]])
BOX = trimesh.creation.box((0.05, 0.06, 0.1))


@pytest.fixture(scope="module")
def obj(tmp_path_factory):
    path = tmp_path_factory.mktemp("api") / "box.stl"
    BOX.export(path)
    return graspbook.load_object(path)


@pytest.fixture(scope="module")
def found(obj):
    return graspbook.predict(obj, samples=20)


@pytest.fixture
def notebook(monkeypatch):
    monkeypatch.setattr(plotly.io.renderers, "default", "plotly_mimetype")


def test_import_loads_nothing_heavy():
    code = "import sys, graspbook; print(*sys.modules); dir(graspbook); graspbook.GraspbookError"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "torch", "trimesh", "mujoco", "plotly", "pydantic"} & {
        *done.stdout.split()
    }


def test_every_name_is_there_and_listed():
    wanted = {"load_object", "load_capture", "load_networks", "predict", "shake_test", "load_hand"}
    wanted |= {"hand_grasp", "read_grasps", "write_grasps", "figures", "GraspbookError"}
    assert wanted <= set(graspbook.__all__) <= set(dir(graspbook))
    assert all(getattr(graspbook, name) is not None for name in graspbook.__all__)
    assert graspbook.figures is import_module("graspbook.figures")
    with pytest.raises(AttributeError, match="'graspbook' has no attribute 'dance'"):
        graspbook.dance  # noqa: B018


def test_type_checkers_read_the_same_names():
    tree = ast.parse(Path(graspbook.__file__).with_suffix(".pyi").read_text())
    stubs = {
        alias.asname: "graspbook.figures" if alias.name == "figures" else node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert stubs == graspbook._PUBLIC


def test_points_give_ranked_grasps_in_their_frame():
    points = trimesh.sample.sample_surface(BOX, 2000, seed=0)[0] + [0, 0, 0.5]
    found = graspbook.predict(points[points[:, 2] < 0.49], samples=12)
    assert (len(found), found.frame) == (12, "camera")
    feasible = found.grasps.grades["feasible"]
    assert (np.diff(feasible.astype(int)) <= 0).all()
    assert all((np.diff(found.scores[which]) <= 0).all() for which in (feasible, ~feasible))
    again = graspbook.predict(Capture(points[points[:, 2] < 0.49], points), samples=12)
    assert again.frame == "camera" and again.file_T_camera is None
    turned = Capture(points[points[:, 2] < 0.49], points, file_T_camera=np.diag([1, -1, -1, 1]))
    turned = graspbook.predict(turned, samples=12)
    assert turned.frame == "camera" and (turned.file_T_camera == np.diag([1, -1, -1, 1])).all()
    assert len(again[:5]) == len(again[again.scores > -1][:5]) == 5


def test_grasps_of_an_object_are_in_its_frame_and_can_be_tested(obj, found):
    assert found.frame == "object"
    faces = np.abs(found.points) - BOX.extents / 2
    assert np.abs(faces.max(axis=1)).max() < 1e-3, "points lie on the box"
    tested = graspbook.shake_test(obj, found[:6])
    assert tested.success.shape == (6,) and tested.success.any()
    assert {"score", "closing_width"} <= set(tested.grasps.grades)
    bare = graspbook.shake_test(obj, found.poses[:6])
    assert (bare.success == tested.success).all() and bare.scores is None


def test_grasps_in_the_frame_of_the_camera_agree_with_those_in_the_objects(obj, found):
    seen = graspbook.predict(obj, samples=20, frame="camera")
    assert (seen.frame, found.frame) == ("camera", "object")
    np.testing.assert_array_equal(seen.object_T_camera, found.object_T_camera)
    np.testing.assert_allclose(seen.object_T_camera @ seen.poses, found.poses, atol=1e-12)
    turned = seen.points @ seen.object_T_camera[:3, :3].T + seen.object_T_camera[:3, 3]
    np.testing.assert_allclose(turned, found.points, atol=1e-12)


def test_grasp_files_keep_a_set(found, tmp_path):
    graspbook.write_grasps(tmp_path / "grasps.h5", found)
    back = graspbook.read_grasps(tmp_path / "grasps.h5")
    assert (back.poses == found.poses).all() and (back.scores == found.scores).all()
    assert (back.frame, back.grasps.object_file) == ("object", "box.stl")
    graspbook.write_grasps(tmp_path / "plain.h5", Grasps(found.poses))
    assert "20 grasps of the gripper panda, object frame" in repr(
        graspbook.read_grasps(tmp_path / "plain.h5")
    )


def test_a_set_shows_itself_as_a_figure(obj, found, notebook):
    bundle = found._repr_mimebundle_()
    assert bundle["text/plain"].startswith("<GraspSet: 20 grasps") and bundle[FORMAT]["data"]
    assert graspbook.shake_test(obj, found[:4])._repr_mimebundle_()[FORMAT]["data"]
    assert found[:0]._repr_mimebundle_()[FORMAT]


def test_a_hand_grasp_shows_itself_and_names_its_joints(obj, notebook, tmp_path):
    BOX.export(tmp_path / "box.stl")
    grasp = graspbook.hand_grasp(tmp_path / "box.stl", "barrett", rotations=1)
    assert set(graspbook.load_hand("barrett").all_joints) == set(grasp.joints)
    assert grasp.wrist.shape == (4, 4) and isinstance(grasp.held, bool)
    assert grasp._repr_mimebundle_()[FORMAT]["data"] and "barrett hand" in repr(grasp)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda obj, found: graspbook.predict(3), "3: expected points"),
        (lambda obj, found: graspbook.predict("mug.stl"), "'mug.stl': expected points"),
        (lambda obj, found: graspbook.predict([[0, 0, 1]], method="luck"), "method 'luck'"),
        (lambda obj, found: graspbook.predict([["a"]]), "points"),
        (lambda obj, found: graspbook.predict(np.zeros((5, 2))), r"\(5, 2\)"),
        (lambda obj, found: graspbook.predict(LONG), "500 m long, .* millimetres.*scale=0.001"),
        (lambda obj, found: graspbook.predict(LONG / 100), "5 m long, .* a whole scene"),
        (lambda obj, found: graspbook.predict(LONG / 1e6), "0.0005 m long, expected 0.005 to 1"),
        (lambda obj, found: graspbook.predict(Capture(LONG, LONG)), "500 m long"),
        (lambda obj, found: graspbook.predict(np.zeros((0, 3))), "cloud has 0 points"),
        (lambda obj, found: graspbook.predict(obj, samples=0), "samples=0: expected a whole"),
        (lambda obj, found: graspbook.predict(obj, samples=2.5), "samples=2.5: expected a whole"),
        (lambda obj, found: graspbook.predict(obj, seed=-1), "seed=-1: .* at least 0"),
        (lambda obj, found: graspbook.shake_test(obj, found, threads=0), "threads=0"),
        (lambda obj, found: graspbook.hand_grasp("none.stl", rotations=0), "rotations=0"),
        (lambda obj, found: graspbook.predict(obj, gripper="claw"), "unknown gripper 'claw'"),
        (lambda obj, found: graspbook.predict([[0, 0, 1]], frame="object"), "frame 'object'"),
        (lambda obj, found: graspbook.predict(obj, frame="world"), "frame 'world'"),
        (lambda obj, found: graspbook.shake_test(obj, np.eye(4)), r"\(4, 4\)"),
        (lambda obj, found: graspbook.load_networks("nowhere"), "nowhere"),
        (lambda obj, found: graspbook.read_grasps("nowhere.h5"), "nowhere.h5"),
    ],
)
def test_bad_input_is_of_the_family(obj, found, call, told):
    with pytest.raises(graspbook.GraspbookError, match=told):
        call(obj, found)


def test_grasps_in_the_camera_frame_are_not_tested_as_if_in_the_objects(obj):
    points = trimesh.sample.sample_surface(BOX, 500, seed=0)[0] + [0, 0, 0.5]
    with pytest.raises(
        graspbook.GraspbookError, match="in the camera frame, expected the object's"
    ):
        graspbook.shake_test(obj, graspbook.predict(points, samples=4))
