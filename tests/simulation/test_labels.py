from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import trimesh

from graspbook import grasp_files, pose
from graspbook.errors import GraspFileError
from graspbook.graspnet import candidates
from graspbook.hands.grippers import GRIPPERS
from graspbook.objects.sets import load_object
from graspbook.simulation import labels


@pytest.fixture
def own_file(tmp_path):
    trimesh.creation.box([0.04, 0.06, 0.05]).export(tmp_path / "box.stl")
    candidates.sample_to_file(load_object(tmp_path / "box.stl"), tmp_path / "box.h5", 40, 0)
    return tmp_path / "box.h5"


def test_our_own_labels_are_found_again(own_file, tmp_path):
    counts = labels.label_file(own_file, tmp_path, tmp_path / "again.h5")
    assert counts["accuracy"] == 1.0 and counts["tp"] > 0 and counts["tn"] > 0
    before, after = (
        grasp_files.read_grasps(own_file),
        grasp_files.read_grasps(tmp_path / "again.h5"),
    )
    np.testing.assert_array_equal(before.transforms, after.transforms)
    np.testing.assert_array_equal(
        before.grades["max_acceleration"], after.grades["max_acceleration"]
    )


def test_a_file_without_labels_gets_them(own_file, tmp_path):
    grasps = grasp_files.read_grasps(own_file)
    bare = grasp_files.Grasps(grasps.transforms, object_file="deep/in/box.stl")
    grasp_files.write_grasps(tmp_path / "bare.h5", bare)
    assert labels.label_file(tmp_path / "bare.h5", tmp_path, tmp_path / "out.h5") is None
    labelled = grasp_files.read_grasps(tmp_path / "out.h5")
    np.testing.assert_array_equal(labelled.success, grasps.success)
    assert labelled.physics["mass"] == pytest.approx(0.5) and labelled.physics["friction"] == 0.45


def test_the_hand_that_the_file_names_is_used_and_an_unknown_one_refused(own_file, tmp_path):
    grasps = grasp_files.read_grasps(own_file)
    wide = trimesh.creation.box([0.084, 0.04, 0.04])
    wide.export(tmp_path / "wide.stl")
    for gripper in GRIPPERS.values():
        poses = pose.from_rt(np.eye(3), [0, 0, -gripper.pad_z])[None]
        file = grasp_files.Grasps(poses, object_file="wide.stl", gripper=gripper.name)
        grasp_files.write_grasps(tmp_path / "wide.h5", file)
        labels.label_file(tmp_path / "wide.h5", tmp_path, tmp_path / "out.h5", threads=1)
        labelled = grasp_files.read_grasps(tmp_path / "out.h5")
        assert labelled.success[0] == (gripper.opening > 0.084)
        assert labelled.gripper == gripper.name
    grasp_files.write_grasps(tmp_path / "claw.h5", replace(grasps, gripper="claw"))
    for use in (labels.calibrate, partial(labels.label_file, out=tmp_path / "out.h5")):
        with pytest.raises(GraspFileError, match="claw.h5: .* 'claw' .*expected panda or robotiq"):
            use(tmp_path / "claw.h5", tmp_path)
    files = tmp_path / "claw.h5", tmp_path, tmp_path / "out.h5"
    labels.label_file(*files, threads=1, gripper=GRIPPERS["panda"])
    labelled = grasp_files.read_grasps(tmp_path / "out.h5")
    np.testing.assert_array_equal(labelled.success, grasps.success)
    assert labelled.gripper == "panda"


def test_files_that_say_nothing_of_the_object_are_refused_first(own_file, tmp_path):
    grasps = grasp_files.read_grasps(own_file)
    none = replace(grasps, transforms=np.zeros((0, 4, 4)), success=np.zeros(0, bool), grades={})
    camera = replace(grasps, parameters={"frame": "camera"})
    one = replace(none, transforms=grasps.transforms[:1], success=grasps.success[:1])
    for name, found in (("none", none), ("camera", camera), ("one", one)):
        grasp_files.write_grasps(tmp_path / f"{name}.h5", found)
    label = partial(labels.label_file, out=tmp_path / "out.h5")
    for use in (labels.calibrate, label):
        with pytest.raises(GraspFileError, match="none.h5: it holds 0 grasps, expected"):
            use(tmp_path / "none.h5", tmp_path / "no_mesh")
        with pytest.raises(
            GraspFileError, match="camera.h5: its grasps are in the camera frame, exp"
        ):
            use(tmp_path / "camera.h5", tmp_path / "no_mesh")
    with pytest.raises(GraspFileError, match="one.h5: it holds 1 grasps, expected 2"):
        labels.calibrate(tmp_path / "one.h5", tmp_path)
    assert not (tmp_path / "out.h5").exists()


def test_a_missing_mesh_is_named(own_file, tmp_path):
    with pytest.raises(GraspFileError, match="box.stl was not found below .*elsewhere"):
        labels.label_file(own_file, tmp_path / "elsewhere", tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


def test_best_width_by_hand():
    width = np.array([0.01, 0.02, 0.03, np.nan])
    assert labels._best_width(np.array([True, True, False, False]), width) == 0.02
    assert labels._best_width(np.array([True, False]), np.full(2, np.nan)) == 0.0


def test_agreement_with_flex_labels(tmp_path, real_data):
    # A fifth of the 2000 grasps; the whole file gives 0.85.
    source = next((real_data / "acronym").glob("*.h5"))
    grasps = grasp_files.read_grasps(source)
    part = slice(None, None, 5)
    grasp_files.write_grasps(
        tmp_path / "part.h5",
        grasp_files.Grasps(
            grasps.transforms[part],
            grasps.success[part],
            object_file=grasps.object_file,
            object_scale=grasps.object_scale,
        ),
    )
    assert (
        labels.label_file(tmp_path / "part.h5", source.parent, tmp_path / "out.h5")[
            "balanced_accuracy"
        ]
        > 0.8
    )


def test_the_mesh_of_a_path_is_not_mistaken_for_one_of_the_same_name(own_file, tmp_path):
    """The root may be the mesh's own folder, or one beside it."""
    for name, side in (("a", 0.04), ("b", 0.05)):
        (tmp_path / name).mkdir()
        trimesh.creation.box([side, 0.04, 0.04]).export(tmp_path / name / "m.stl")
    poses = grasp_files.read_grasps(own_file).transforms[:1]
    grasp_files.write_grasps(tmp_path / "g.h5", grasp_files.Grasps(poses, object_file="a/m.stl"))
    for root in (tmp_path, tmp_path / "a", tmp_path / "b"):
        _, obj, _ = labels._load(tmp_path / "g.h5", root)
        np.testing.assert_allclose(obj.mesh.extents[0], 0.04)
