"""A hand of a few lines, as somebody adds one: two fingers that swing over a palm, the second at
half the first's angle.
"""

import numpy as np
import pytest
import torch
import trimesh

from graspbook import pose
from graspbook.hands.articulated import Hand, place
from graspbook.hands.parts import Link, Part
from graspbook.highdof.closing import close, touching
from graspbook.highdof.planner import reach
from graspbook.objects.distance import signed_distance_grid, stack

RADIUS, LENGTH, APART = 0.005, 0.06, 0.1


@pytest.fixture(scope="module")
def hand():
    corners = np.array(
        [[x, y, z] for x in (-0.06, 0.06) for y in (-0.02, 0.02) for z in (-0.03, -0.01)]
    )
    finger = np.array([[0.0, 0, 0], [0, 0, LENGTH]])
    links, parts, contacts = [Link("palm")], [Part("palm", corners)], []
    for name, x, turned in (("right", APART / 2, 0.0), ("left", -APART / 2, np.pi)):
        palm_T_finger = pose.from_rt(pose.rotation_about([0, 0, 1.0], turned), [x, 0, 0])
        links.append(
            Link(
                name,
                "palm",
                palm_T_finger,
                f"{name}_hinge",
                (0, -1.0, 0),
                (0.0, 1.5),
                2.0,
                closes=1,
            )
        )
        parts.append(Part(name, finger, RADIUS))
        contacts.append((name, np.array([-RADIUS, 0, LENGTH]), np.array([-1.0, 0, 0])))
    return Hand(
        "pincer", links, parts, {"default": contacts}, {"left_hinge": ("right_hinge", 0.5, 0.1)}
    )


def test_it_has_the_joints_and_limits_of_its_links(hand):
    assert (hand.joints, hand.all_joints) == (("right_hinge",), ("right_hinge", "left_hinge"))
    np.testing.assert_allclose(hand.limits, [[0, 1.5]])
    assert (
        hand.open.tolist() == [0.0]
        and hand.closing.tolist() == [1.0]
        and hand.efforts.tolist() == [2.0]
    )
    np.testing.assert_allclose(hand.expand(np.array([0.8])), [0.8, 0.5])
    assert hand.named(hand.vector({"right_hinge": 0.8})) == {"right_hinge": 0.8}


def test_its_kinematics_are_those_worked_out_by_hand(hand):
    tips = np.array([[0.0, 0, LENGTH]] * 2)
    for angle in (0.0, 0.4, 1.2):
        found = place(
            hand,
            torch.eye(4, dtype=torch.float64),
            torch.tensor([angle], dtype=torch.float64),
            tips,
            [1, 2],
        )
        own, other = angle, 0.5 * angle + 0.1
        np.testing.assert_allclose(
            found,
            [
                [APART / 2 - LENGTH * np.sin(own), 0, LENGTH * np.cos(own)],
                [-APART / 2 + LENGTH * np.sin(other), 0, LENGTH * np.cos(other)],
            ],
            atol=1e-12,
        )


def test_its_reach_is_the_distance_of_its_contact_points(hand):
    other = 0.1  # the left finger leans in, even in the open hand
    along, across = (
        np.array([np.sin(other), 0, np.cos(other)]),
        np.array([np.cos(other), 0, -np.sin(other)]),
    )
    left = [-APART / 2, 0, 0] + LENGTH * along + RADIUS * across
    assert reach(hand) == pytest.approx(
        np.linalg.norm([APART / 2 - RADIUS, 0, LENGTH] - left), rel=1e-5
    )


def test_it_closes_on_a_ball_until_a_finger_touches(hand):
    ball = trimesh.creation.icosphere(4, 0.02).apply_translation([0.01, 0, 0.045])
    fields = stack([signed_distance_grid(ball, 64)])
    wrist, opened = torch.eye(4)[None], torch.as_tensor(hand.open, dtype=torch.float32)[None]
    closed = close(hand, fields, torch.tensor([0]), wrist, opened)
    # The right finger's axis is then a tangent of a ball that is larger by its radius: exact,
    # whichever way it leans.
    angle = float(closed[0, 0])
    away = np.array([0.01 - APART / 2, 0.045])
    distance = abs(away @ [np.cos(angle), np.sin(angle)])
    assert 0.0 < angle < 1.5 and distance == pytest.approx(0.02 + RADIUS, abs=0.0008)
    points, normals, links = touching(hand, fields, 0, wrist[0], closed[0])
    assert {hand.links[link] for link in links} == {"right"}
    np.testing.assert_allclose(np.linalg.norm(points - [0.01, 0, 0.045], axis=1), 0.02, atol=0.0005)
    np.testing.assert_allclose(points - [0.01, 0, 0.045], -0.02 * normals, atol=0.001)
