import numpy as np
import pytest
import torch
import trimesh

from graspbook.errors import PlanError
from graspbook.hands import pose_vector
from graspbook.hands.library import load_hand
from graspbook.highdof import surface_starts as module
from graspbook.highdof.energies import Judge
from graspbook.highdof.surface_starts import palm_face, surface_points, surface_starts
from graspbook.objects.distance import signed_distance_grid, stack

BALL, BOX = trimesh.creation.icosphere(radius=0.05), trimesh.creation.box((0.05, 0.06, 0.16))
FIELDS = stack([signed_distance_grid(mesh, 64) for mesh in (BALL, BOX)])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("hand", "normal"), [("shadow", (0, -1, 0)), ("barrett", (0, 0, 1))])
def test_the_face_of_a_palm_is_where_its_contact_points_are(hand, normal):
    middle, found = palm_face(load_hand(hand))
    np.testing.assert_allclose(found, normal, atol=1e-9)
    contacts = load_hand(hand).contacts["default"]
    np.testing.assert_allclose(middle, contacts.points[contacts.links == 0].mean(axis=0))


def test_points_are_all_over_the_surface_with_outward_normals():
    which = torch.tensor([0] * 300 + [1] * 300)
    points, normals = surface_points(FIELDS, which, generator())
    on_ball, radial = points[:300], torch.nn.functional.normalize(points[:300], dim=1)
    torch.testing.assert_close(on_ball.norm(dim=1), torch.full((300,), 0.05), atol=1e-3, rtol=0)
    assert ((radial * normals[:300]).sum(dim=1) > 0.99).all()
    assert on_ball.mean(dim=0).norm() < 0.01
    beyond = points[300:].abs() - torch.tensor([0.025, 0.03, 0.08])
    torch.testing.assert_close(beyond.amax(dim=1), torch.zeros(300), atol=2e-3, rtol=0)
    # By area, 2 · 5 · 6 of the 412 cm² are the ends.
    ends = (beyond.argmax(dim=1) == 2).float().mean()
    assert 0.08 < ends < 0.25


@pytest.mark.parametrize("name", ["shadow", "barrett"])
def test_palms_face_the_surface_at_the_given_distance_and_are_free_of_it(name):
    hand, which = load_hand(name), torch.zeros(50, dtype=torch.long)
    judge = Judge(hand, FIELDS, which)
    states = surface_starts(hand, FIELDS, judge, generator(), gap=(0.01, 0.03))
    assert judge(states, torch.arange(50))[1].all()
    wrist, joints = pose_vector.split(states)
    middle, normal = (torch.as_tensor(part, dtype=torch.float32) for part in palm_face(hand))
    placed = (wrist[:, :3, :3] @ middle) + wrist[:, :3, 3]
    facing = wrist[:, :3, :3] @ normal
    away = placed.norm(dim=1) - 0.05
    assert away.min() > 0.009 and away.max() < 0.031 and np.ptp(away.numpy()) > 0.01
    assert ((facing * torch.nn.functional.normalize(placed, dim=1)).sum(dim=1) < -0.98).all()
    torch.testing.assert_close(joints, torch.as_tensor(hand.open).float().expand(50, -1))


def test_a_field_without_a_surface_is_refused(monkeypatch):
    monkeypatch.setattr(module, "_ROUNDS", 5)
    nothing = FIELDS._replace(values=FIELDS.values.clamp(min=0.05))
    with pytest.raises(PlanError, match="no point on the surface"):
        surface_points(nothing, torch.tensor([0, 1]), generator())


def test_an_object_that_no_palm_can_face_is_refused():
    hand = load_hand("barrett")
    judge = Judge(hand, FIELDS, torch.zeros(2, dtype=torch.long))
    with pytest.raises(PlanError, match="every pose of the barrett hand with its palm against"):
        surface_starts(hand, FIELDS, judge, generator(), gap=(-0.04, -0.03))
