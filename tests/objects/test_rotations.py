import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation

from graspbook import pose
from graspbook.objects import distance
from graspbook.objects.rotations import STORED, rotations, turned_distance, turned_frame


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GRASPBOOK_CACHE", str(tmp_path))


def test_the_papers_27_rotations():
    turns = rotations()
    assert turns.shape == (27, 3, 3)
    assert np.allclose(turns @ turns.swapaxes(1, 2), np.eye(3)) and np.allclose(
        np.linalg.det(turns), 1
    )
    expected = [
        Rotation.from_euler("xyz", [x, y, z], degrees=True).as_matrix()
        for x in (60, 120, 180)
        for y in (60, 120, 180)
        for z in (60, 120, 180)
    ]
    assert np.allclose(turns, expected)
    assert [i for i in range(27) if np.allclose(turns[i], np.eye(3))] == [STORED]
    apart = np.abs(turns[:, None] - turns).max(axis=(2, 3)) + np.eye(27)
    assert apart.min() > 0.1


def test_a_turned_frame_has_the_centre_of_mass_at_its_origin():
    com = np.array([0.3, -0.2, 1.0])
    frames = turned_frame(rotations(), com)
    assert frames.shape == (27, 4, 4)
    assert np.allclose(pose.transform(frames, com[None]), 0)


def test_equation_3_for_rotated_objects_off_their_origin():
    """A cone stands far from its origin: its surface, turned, has distance zero, and a hand comes
    back to where it belongs.
    """
    cone = trimesh.creation.cone(radius=0.03, height=0.08, sections=24)
    cone.apply_translation([0.5, -0.3, 0.2])
    frames = turned_frame(rotations(), cone.center_mass)
    field = distance.signed_distance_grid(cone, 48)
    fields = distance.stack([field])
    surface = trimesh.sample.sample_surface(cone, 200, seed=0)[0]
    turned = torch.as_tensor(pose.transform(frames, surface), dtype=torch.float64)
    which = torch.zeros(len(frames), dtype=torch.long)
    found = turned_distance(fields, torch.as_tensor(frames), turned, which)
    assert found.shape == (27, 200)
    assert found.abs().max() < 0.5 * field.spacing
    assert torch.allclose(found, found[:1].expand_as(found), atol=1e-6)

    # A hand 3 cm above the base's plane on the axis, 5 cm outside, seen in each turned frame.
    object_T_hand = pose.from_rt(
        pose.rotation_about([1, 2, 3], 0.7), cone.center_mass + [0.08, 0.0, 0.01]
    )
    turned_T_hand = frames @ object_T_hand
    assert np.allclose(pose.inverse(frames) @ turned_T_hand, object_T_hand)
    points_of_hand = np.array([[0.0, 0.0, 0.0], [0.01, 0.02, -0.03]])
    in_turned = torch.as_tensor(pose.transform(turned_T_hand, points_of_hand)).requires_grad_()
    through_chain = turned_distance(fields, torch.as_tensor(frames), in_turned, which)
    in_object = torch.as_tensor(pose.transform(object_T_hand, points_of_hand))[None]
    assert torch.allclose(
        through_chain, distance.lookup(fields, in_object).expand(27, 2), atol=1e-6
    )
    through_chain.sum().backward()
    slopes = distance.lookup_gradient(fields, in_object)[1].numpy()
    assert np.allclose(in_turned.grad.numpy(), slopes @ frames[:, :3, :3].swapaxes(1, 2), atol=1e-5)
