"""What trials are tried on, by name."""

import pytest
import trimesh

from graspbook.errors import ParameterError
from graspbook.robots.trials import subjects


def test_subjects_are_trial_objects_by_name_and_meshes_by_path(tmp_path):
    trimesh.creation.box([0.04, 0.05, 0.06]).export(tmp_path / "brick.stl")
    named, own = subjects(["red_bowl", str(tmp_path / "brick.stl")])
    assert (named.obj.name, named.category, named.mass) == ("red_bowl", "bowl", 0.147)
    assert (own.obj.name, own.category, own.mass) == ("brick", "own", 0.3)
    (large,) = subjects([str(tmp_path / "brick.stl")], 2.0)
    assert large.obj.mesh.extents == pytest.approx([0.08, 0.1, 0.12])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["teapot"], "object 'teapot', expected the path of a mesh or one of jello_chocolate"),
        (["red_bowl", "red_bowl"], "objects red_bowl are named twice"),
    ],
)
def test_what_is_no_subject_is_refused(names, words):
    with pytest.raises(ParameterError, match=words):
        subjects(names)
