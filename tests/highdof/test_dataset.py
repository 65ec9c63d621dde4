import numpy as np
import pytest
import torch

from graspbook import pose
from graspbook.errors import GraspFileError, ParameterError
from graspbook.hands import pose_vector
from graspbook.hands.articulated import place
from graspbook.highdof.dataset import (
    DataSettings,
    examples_header,
    frames,
    prepare,
    read_examples,
    turn,
    write_examples,
)
from graspbook.objects.distance import lookup
from graspbook.objects.rotations import STORED, turned_distance

from .conftest import DATA


def test_shapes_and_names(examples):
    assert examples.names == ("box", "ball")
    assert examples.grids.shape == (2, 27, 16, 16, 16) and examples.grids.dtype == torch.uint8
    assert examples.turned_T_object.shape == (2, 27, 4, 4) and examples.grasps.shape == (
        2,
        27,
        3,
        11,
    )
    assert set(examples.grids.unique().tolist()) == {0, 1}


def test_grasps_turn_with_their_object(examples, barrett):
    points, _, links = barrett.contacts["default"]
    wrist, joints = pose_vector.split(examples.grasps[0].double())
    placed = place(barrett, wrist, joints, points, links)
    turned = examples.turned_T_object[0].double()
    found = turned_distance(examples.fields, turned, placed, torch.zeros(27, dtype=torch.long))
    torch.testing.assert_close(found, found[:1].expand(27, -1, -1), atol=1e-5, rtol=0)
    in_object = pose.transform(torch.linalg.inv(turned)[:, None], placed)
    torch.testing.assert_close(
        lookup(examples.fields, in_object, torch.zeros(27, dtype=torch.long)),
        found,
        atol=1e-5,
        rtol=0,
    )


def test_a_grid_shows_the_turned_object(examples, meshes):
    """Occupied voxels are inside the turned box, or within half a voxel's diagonal of it."""
    voxel = DATA.length / 0.95 / DATA.grid
    for index in (0, 13):
        turned = examples.turned_T_object[0, index].double().numpy()
        centres = (np.argwhere(examples.grids[0, index].numpy()) + 0.5 - DATA.grid / 2) * voxel
        inside = (
            np.abs(pose.transform(pose.inverse(turned), centres))
            - np.array(meshes["box"].extents) / 2
        )
        assert inside.max() < voxel and len(centres) * voxel**3 > meshes["box"].volume


def test_rotations_are_a_choice():
    com = np.array([0.01, 0.0, 0.02])
    alone, turned = frames(com, DataSettings(turned=False)), frames(com, DataSettings())
    np.testing.assert_allclose(alone, pose.from_rt(np.eye(3), -com)[None])
    assert len(turned) == 27
    np.testing.assert_allclose(turned[STORED], alone[0], atol=1e-12)


def test_turning_by_the_identity_leaves_poses_as_they_are():
    states = pose_vector.join(
        pose.from_rt(pose.random_rotations(5, np.random.default_rng(0)), np.ones((5, 3))),
        np.ones((5, 4)),
    )
    np.testing.assert_allclose(turn(states, np.eye(4)), states, atol=1e-12)


def test_some_objects_can_be_taken(examples):
    one = examples.take([1])
    assert one.names == ("ball",) and one.settings == DATA
    assert torch.equal(one.grids[0], examples.grids[1]) and torch.equal(
        one.fields.values[0], examples.fields.values[1]
    )


def test_an_object_larger_than_its_grid_is_refused(meshes):
    with pytest.raises(
        ParameterError, match="reaches 0.0781 m from its centre of mass, expected at most 0.05 m"
    ):
        prepare(
            meshes["box"],
            np.zeros(3),
            np.ones((1, 11)),
            DataSettings(grid=16, length=0.1, nodes=32),
        )


def test_a_file_holds_examples(examples, tmp_path):
    file = tmp_path / "examples.safetensors"
    write_examples(file, examples, {"seed": 3})
    found = read_examples(file)
    assert (
        found.settings == DATA
        and found.names == examples.names
        and examples_header(file)["made_from"] == {"seed": 3}
    )
    pairs = (
        (found.grids, examples.grids),
        (found.grasps, examples.grasps),
        *zip(found.fields, examples.fields, strict=True),
    )
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)
    with pytest.raises(GraspFileError, match="no such file"):
        read_examples(tmp_path / "none.safetensors")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(GraspFileError, match="not a file of examples"):
        read_examples(file)


def test_parts_of_examples_by_name_and_rotation(examples):
    ball = examples.named(["ball"]).turned(slice(3, 5))
    assert ball.names == ("ball",) and torch.equal(ball.grids, examples.grids[1:, 3:5])
    assert torch.equal(ball.grasps, examples.grasps[1:, 3:5])
    assert torch.equal(ball.turned_T_object, examples.turned_T_object[1:, 3:5])
    assert torch.equal(ball.fields.values, examples.fields.values[1:])
