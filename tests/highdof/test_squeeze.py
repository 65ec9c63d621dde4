import numpy as np
import pytest
import torch
import trimesh

from graspbook.errors import ParameterError
from graspbook.hands.articulated import Hand, carry
from graspbook.hands.library import load_hand
from graspbook.hands.mjcf import stiffness
from graspbook.hands.parts import Link, Part
from graspbook.highdof.closing import APART, TOUCH, close, moves
from graspbook.highdof.object_field import Target
from graspbook.highdof.squeeze import (
    SQUEEZES,
    Contacts,
    SqueezeSettings,
    contacts,
    joint_torques,
    stages,
)
from graspbook.objects.distance import signed_distance_grid, stack

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (-1, 1) for z in (-1, 1)], float)


def target_of(mesh):
    length = float(np.linalg.norm(mesh.vertices, axis=1).max())
    return Target(stack([signed_distance_grid(mesh, 48)]), np.zeros(3), length)


@pytest.fixture(scope="module")
def cylinder():
    turn = trimesh.transformations.rotation_matrix(np.pi / 2, [0, 1, 0])
    return target_of(trimesh.creation.cylinder(0.03, 0.16, transform=turn))


@pytest.fixture(scope="module")
def wrapped(cylinder):
    """Shadow Hands that have closed around the cylinder, at several places along it."""
    hand = load_hand("shadow")
    wrist = torch.eye(4).repeat(3, 1, 1)
    wrist[:, :3, 3] = torch.tensor([[-0.01, 0.0435, -0.075], [0, 0.0435, -0.07], [0.5, 0, 0]])
    joints = torch.as_tensor(hand.open, dtype=torch.float32).repeat(3, 1)
    joints[:, hand.joints.index("THJ4")] = -0.3
    joints[:, hand.joints.index("THJ3")] = 1.1
    return (
        hand,
        wrist,
        close(hand, cylinder.fields, torch.zeros(3, dtype=torch.long), wrist, joints),
    )


def pinch():
    """Two sliding fingers whose pads face each other along x; the left one follows no other."""
    links, parts = [Link("palm")], [Part("palm", CORNERS * 0.02 + [0, 0, -0.1])]
    for name, side in (("right", 1), ("left", -1)):
        slide = {"limits": (0.0, 0.04), "effort": 40.0, "slides": True, "closes": -1}
        links.append(Link(name, "palm", np.eye(4), name, (side, 0, 0), **slide))
        parts.append(Part(name, CORNERS * [0.01 * side, 0.01, 0.01]))
    return Hand("pinch", links, parts, {"default": [("right", np.zeros(3), -np.eye(3)[0])]})


def test_a_pinch_presses_with_half_the_total_at_each_finger_and_opens_before():
    hand, cube = pinch(), target_of(trimesh.creation.box((0.03, 0.03, 0.03)))
    closed = np.array([[0.015, 0.015]])
    settings = SqueezeSettings(total=30.0, press=0.0, near=0.001)
    found = stages(hand, cube, np.eye(4)[None], closed, settings)
    np.testing.assert_allclose((found.squeeze - closed) * stiffness(hand), -15.0, rtol=0.02)
    np.testing.assert_array_equal(found.grasp, closed)
    opened = found.pregrasp - closed
    assert (opened > 0.003).all() and (opened < 0.012).all() and found.imbalance < 1e-3
    most = stages(hand, cube, np.eye(4)[None], closed, SqueezeSettings(total=1e4, near=0.001))
    np.testing.assert_allclose((most.squeeze - closed) * stiffness(hand), -40.0, rtol=0.02)


@pytest.mark.parametrize("name", ["shadow", "barrett", "franka"])
def test_torques_are_the_forces_work_per_joint_motion(name):
    hand, rng = load_hand(name), np.random.default_rng(0)
    joints = torch.as_tensor(rng.uniform(*hand.limits.T, (2, len(hand.joints)))).requires_grad_()
    links = rng.integers(len(hand.links), size=(2, 9))
    local, forces = rng.normal(size=(2, 9, 3)), rng.normal(size=(2, 9, 3))
    wrist = torch.eye(4, dtype=torch.float64)
    wrist[:3, 3] = torch.tensor([0.1, -0.2, 0.3])
    poses = hand.forward(joints, wrist)
    points = torch.stack([carry(poses[i], local[i], links[i]) for i in range(2)])
    work = (points * torch.as_tensor(forces)).sum()
    expected = torch.autograd.grad(work, joints)[0].numpy()
    found = Contacts(points.detach().numpy(), forces, links, np.ones((2, 9), bool))
    torques = joint_torques(hand, poses.detach().numpy(), found, forces)
    np.testing.assert_allclose(torques, expected, atol=1e-12)
    step = 1e-6 * np.eye(len(hand.joints))
    with torch.no_grad():
        moved = hand.forward(joints[0] + torch.as_tensor(step), wrist)
        away = carry(moved, local[0], links[0]) - points[0]
    differences = (away.numpy() * forces[0]).sum(axis=(1, 2)) / 1e-6
    np.testing.assert_allclose(torques[0], differences, atol=1e-4)


def test_contacts_are_few_apart_and_on_the_surface(cylinder, wrapped):
    hand, wrist, closed = wrapped
    found = contacts(hand, cylinder.fields, wrist, closed, most=2)
    assert found.there[:2].sum(axis=1).min() >= 4 and not found.there[2].any()
    for points, normals, links, there in zip(*found, strict=True):
        around = np.linalg.norm(points[there][:, 1:], axis=1)
        np.testing.assert_allclose(around[np.abs(points[there, 0]) < 0.075], 0.03, atol=5e-4)
        np.testing.assert_allclose(np.linalg.norm(normals[there], axis=1), 1, atol=1e-6)
        for link in np.unique(links[there]):
            own = points[there & (links == link)]
            assert len(own) <= 2
            gaps = np.linalg.norm(own[:, None] - own, axis=2)[np.triu_indices(len(own), 1)]
            assert (gaps > APART - 2 * TOUCH).all()


@pytest.mark.parametrize("rule", list(SQUEEZES))
def test_squeezes_stay_within_efforts_and_pregrasps_touch_less(cylinder, wrapped, rule):
    hand, wrist, closed = wrapped
    found = stages(hand, cylinder, wrist, closed, SQUEEZES[rule])
    torques = (found.squeeze - found.grasp) * stiffness(hand)
    assert (np.abs(torques) <= hand.efforts * (1 + 1e-9)).all()
    assert (np.abs(torques[:2]).max(axis=1) > 0).all()
    before = contacts(hand, cylinder.fields, wrist, torch.as_tensor(found.pregrasp).float())
    opens = moves(hand)[hand.closing != 0].any(axis=0)
    after = contacts(hand, cylinder.fields, wrist, closed)
    touching = [(some.there & opens[some.links]).sum(axis=1) for some in (before, after)]
    assert (touching[0][:2] < touching[1][:2]).all()
    assert (found.pregrasp >= hand.limits[:, 0] - 1e-6).all()
    if rule == "press":
        np.testing.assert_allclose(torques, 0.5 * hand.efforts * hand.closing + 0 * torques)
    if rule == "doubled":
        halfway = (found.squeeze + found.pregrasp) / 2
        within = np.abs(torques) < hand.efforts * 0.999
        np.testing.assert_allclose(halfway[within], found.grasp[within], atol=1e-6)


def test_a_hand_that_touches_nothing_is_only_pressed(cylinder, wrapped):
    hand, wrist, closed = wrapped
    settings = SqueezeSettings(press=0.2)
    found = stages(hand, cylinder, wrist[2:], closed[2:], settings)
    assert found.imbalance == 1
    expected = 0.2 * hand.efforts * hand.closing
    np.testing.assert_allclose((found.squeeze - found.grasp)[0] * stiffness(hand), expected)


def test_impossible_settings_are_refused():
    for wrong in ({"rule": "hard"}, {"total": 0.0}, {"press": 2.0}, {"contacts": 0}):
        with pytest.raises(ParameterError, match="expected the rule balanced, press or doubled"):
            SqueezeSettings(**wrong)
