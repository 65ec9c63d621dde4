from pathlib import Path

import numpy as np
import pytest
import trimesh

from graspbook import storage
from graspbook.errors import GraspFileError
from graspbook.graspnet import candidates
from graspbook.objects.sets import load_object
from graspbook.simulation import labels

ACRONYM = Path(__file__).parents[3] / "shared" / "real" / "acronym"


@pytest.fixture
def own_file(tmp_path):
    trimesh.creation.box([0.04, 0.06, 0.05]).export(tmp_path / "box.stl")
    candidates.sample_to_file(load_object(tmp_path / "box.stl"), tmp_path / "box.h5", 40, 0)
    return tmp_path / "box.h5"


def test_our_own_labels_are_found_again(own_file, tmp_path):
    counts = labels.label_file(own_file, tmp_path, tmp_path / "again.h5")
    assert counts["accuracy"] == 1.0 and counts["tp"] > 0 and counts["tn"] > 0
    before, after = storage.read_grasps(own_file), storage.read_grasps(tmp_path / "again.h5")
    np.testing.assert_array_equal(before.transforms, after.transforms)
    np.testing.assert_array_equal(
        before.grades["max_acceleration"], after.grades["max_acceleration"]
    )


def test_a_file_without_labels_gets_them(own_file, tmp_path):
    grasps = storage.read_grasps(own_file)
    bare = storage.Grasps(grasps.transforms, object_file="deep/in/box.stl")
    storage.write_grasps(tmp_path / "bare.h5", bare)
    assert labels.label_file(tmp_path / "bare.h5", tmp_path, tmp_path / "out.h5") is None
    labelled = storage.read_grasps(tmp_path / "out.h5")
    np.testing.assert_array_equal(labelled.success, grasps.success)
    assert labelled.physics["mass"] == pytest.approx(0.5) and labelled.physics["friction"] == 0.45


def test_a_missing_mesh_is_named(own_file, tmp_path):
    with pytest.raises(GraspFileError, match="box.stl is not below .*elsewhere"):
        labels.label_file(own_file, tmp_path / "elsewhere", tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


def test_best_width_by_hand():
    width = np.array([0.01, 0.02, 0.03, np.nan])
    assert labels._best_width(np.array([True, True, False, False]), width) == 0.02


@pytest.mark.skipif(not ACRONYM.is_dir(), reason="the ACRONYM sample is not there")
def test_agreement_with_flex_labels(tmp_path):
    # A fifth of the 2000 grasps; the whole file gives 0.85.
    source = next(ACRONYM.glob("*.h5"))
    grasps = storage.read_grasps(source)
    part = slice(None, None, 5)
    storage.write_grasps(
        tmp_path / "part.h5",
        storage.Grasps(
            grasps.transforms[part],
            grasps.success[part],
            object_file=grasps.object_file,
            object_scale=grasps.object_scale,
        ),
    )
    assert (
        labels.label_file(tmp_path / "part.h5", ACRONYM, tmp_path / "out.h5")["balanced_accuracy"]
        > 0.8
    )
