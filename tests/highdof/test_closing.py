import numpy as np
import pytest
import torch
import trimesh

from graspbook.hands.articulated import carry
from graspbook.hands.balls import inner_balls
from graspbook.hands.library import load_hand
from graspbook.hands.self_collision import ALLOWED, deepest_self
from graspbook.hands.shape import link_poses
from graspbook.highdof.closing import TOUCH, close, touching
from graspbook.objects.distance import lookup, signed_distance_grid, stack
from graspbook.quality import epsilon

HAND = load_hand("shadow")


def wrist_before():
    """The palm faces -y: the object's frame has its middle 5 cm before the palm and 9 cm above its
    origin.
    """
    wrist = torch.eye(4)
    wrist[:3, 3] = torch.tensor([-0.01, 0.05, -0.09])
    return wrist


@pytest.fixture(scope="module")
def grasp():
    mesh = trimesh.creation.cylinder(
        0.03, 0.2, transform=trimesh.transformations.rotation_matrix(np.pi / 2, [0, 1, 0])
    )
    fields = stack([signed_distance_grid(mesh, 96)])
    opened = torch.as_tensor(HAND.open, dtype=torch.float32)[None]
    return (
        fields,
        wrist_before(),
        opened,
        close(HAND, fields, torch.tensor([0]), wrist_before()[None], opened),
    )


def test_fingers_stop_on_the_object(grasp):
    fields, wrist, opened, closed = grasp
    balls = inner_balls(HAND)
    depth = lookup(
        fields, carry(HAND.forward(closed, wrist[None]), balls.centres, balls.links)
    ) - torch.as_tensor(balls.radii)
    assert depth.min() > -1e-6
    reached = [HAND.links[i] for i in set(balls.links[(depth[0] < TOUCH).numpy()])]
    assert {name[:2] for name in reached} >= {"ff", "mf", "rf"}


def test_only_closing_joints_move_and_none_beyond_its_limits(grasp):
    _, _, opened, closed = grasp
    still = HAND.closing == 0
    assert torch.equal(closed[0, still], opened[0, still])
    moved = (closed - opened)[0].numpy() * HAND.closing
    assert (moved >= 0).all() and moved.max() > 0.2
    assert (closed[0].numpy() >= HAND.limits[:, 0] - 1e-6).all() and (
        closed[0].numpy() <= HAND.limits[:, 1] + 1e-6
    ).all()


def test_in_the_air_a_hand_closes_to_its_limits_or_to_another_part():
    fields = stack([signed_distance_grid(trimesh.creation.box((0.02, 0.02, 0.02)), 32)])
    far = torch.eye(4)
    far[:3, 3] = 1.0
    closed = close(
        HAND,
        fields,
        torch.tensor([0]),
        far[None],
        torch.as_tensor(HAND.open, dtype=torch.float32)[None],
    )[0].numpy()
    ends = np.where(HAND.closing > 0, HAND.limits[:, 1], HAND.limits[:, 0])
    short = np.flatnonzero((HAND.closing != 0) & (np.abs(closed - ends) > 1e-5))
    # The first finger meets the thumb.
    assert {HAND.joints[joint][:2] for joint in short} == {"FF", "TH"}

    def deepest(joints):
        return float(deepest_self(HAND, HAND.forward(torch.as_tensor(joints)[None], far[None])))

    assert deepest(closed) <= ALLOWED
    further = closed.copy()
    further[short] += (HAND.closing * 0.0026 * np.ptp(HAND.limits, axis=1))[short]
    assert deepest(further) > ALLOWED


def test_each_of_several_closes_as_it_does_alone(grasp):
    fields, wrist, opened, closed = grasp
    shifted = wrist.clone()
    shifted[1, 3] += 0.01
    both = close(
        HAND, fields, torch.tensor([0, 0]), torch.stack([wrist, shifted]), opened.expand(2, -1)
    )
    torch.testing.assert_close(both[0], closed[0], atol=1e-4, rtol=0)
    assert not torch.equal(both[1], both[0])


def test_contacts_lie_on_the_object_with_normals_into_it(grasp):
    fields, wrist, _, closed = grasp
    points, normals, links = touching(HAND, fields, 0, wrist, closed[0])
    assert len(points) >= 3
    np.testing.assert_allclose(np.linalg.norm(points[:, 1:], axis=1), 0.03, atol=1e-3)
    radial = -points[:, 1:] / np.linalg.norm(points[:, 1:], axis=1, keepdims=True)
    assert ((normals[:, 1:] * radial).sum(axis=1) > 0.97).all()
    poses = link_poses(HAND, wrist.double().numpy(), closed[0].double().numpy())
    assert (np.linalg.norm(points - poses[links][:, :3, 3], axis=1) < 0.12).all()


def test_a_thumb_against_the_fingers_gives_force_closure_on_a_cylinder(grasp):
    """At a friction of 0.4 no contact turns the cylinder about its axis by more than 0.4 · 0.03 m ·
    its force: a bound on ε.
    """
    fields, wrist, opened, beside = grasp
    opposed = opened.clone()
    opposed[0, [HAND.joints.index("THJ4"), HAND.joints.index("THJ3")]] = torch.tensor([-0.3, 1.1])
    closed, length = (
        close(HAND, fields, torch.tensor([0]), wrist[None], opposed),
        np.hypot(0.03, 0.1),
    )
    points, normals, links = touching(HAND, fields, 0, wrist, closed[0])
    assert {HAND.links[link][:2] for link in links} == {"ff", "mf", "rf", "lf", "th"}
    found, bound = epsilon(points, normals, np.zeros(3), length), 0.4 * 0.03 / length
    assert 0.1 * bound < found <= bound
    on_fingers = np.array([not HAND.links[link].startswith("th") for link in links])
    assert epsilon(points[on_fingers], normals[on_fingers], np.zeros(3), length) < found
    assert (
        epsilon(*touching(HAND, fields, 0, wrist, beside[0])[:2], np.zeros(3), length) == -1
    )  # the thumb beside the fingers


def test_without_contacts_there_are_none(grasp):
    fields, _, opened, _ = grasp
    far = torch.eye(4)
    far[:3, 3] = 1.0
    assert all(len(part) == 0 for part in touching(HAND, fields, 0, far, opened[0]))
