import numpy as np
import pytest
import trimesh

from graspbook.hands.articulated import Hand
from graspbook.hands.balls import Balls, inner_balls
from graspbook.hands.library import HANDS, load_hand
from graspbook.hands.parts import Link, Part
from graspbook.hands.shape import dense, part_distance, part_mesh

BOX = np.array([[x, y, z] for x in (-0.03, 0.03) for y in (-0.02, 0.02) for z in (-0.01, 0.01)])


def test_a_capsules_balls_are_on_its_axis():
    hand = Hand(
        "toy",
        [Link("palm")],
        [Part("palm", np.array([[0, 0, 0], [0, 0, 0.05]]), 0.01)],
        {"default": []},
    )
    balls = inner_balls(hand)
    np.testing.assert_allclose(balls.centres, np.linspace([0, 0, 0], [0, 0, 0.05], 6), atol=1e-12)
    np.testing.assert_array_equal(balls.radii, 0.01)
    np.testing.assert_array_equal(balls.links, 0)


def test_a_boxs_balls_lie_inside_and_leave_no_more_than_the_slack():
    part = Part("palm", BOX)
    balls = inner_balls(Hand("toy", [Link("palm")], [part], {"default": []}), slack=0.004)
    assert (balls.radii <= -part_distance(part, balls.centres) + 1e-9).all()
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (500, 3)) * [0.03, 0.02, 0.01]
    axis = rng.integers(3, size=500)
    points[np.arange(500), axis] = np.array([0.03, 0.02, 0.01])[axis] * rng.choice([-1, 1], 500)
    assert outside(balls, np.concatenate([points, BOX])).max() <= 0.004


def outside(balls, points):
    """How far (N,) points (N, 3) are outside all of the balls."""
    return (np.linalg.norm(points[:, None] - balls.centres, axis=2) - balls.radii).min(axis=1)


@pytest.mark.parametrize(
    ("name", "slack"), [*((name, 0.004) for name in HANDS), ("shadow", 0.002), ("barrett", 0.002)]
)
def test_no_point_of_any_part_is_further_outside_than_the_slack(name, slack):
    hand, balls = load_hand(name), inner_balls(load_hand(name), slack)
    for part in hand.parts:
        own = Balls(*(values[balls.links == hand.links.index(part.link)] for values in balls))
        mesh = part_mesh(part)
        points = np.concatenate(
            [mesh.vertices, trimesh.sample.sample_surface(mesh, 3000, seed=1)[0], dense(part)[0]]
        )
        assert outside(own, points).max() <= slack


def test_the_balls_of_a_long_thick_capsule_are_as_close_as_the_slack_needs():
    part = Part("palm", np.array([[0, 0, 0], [0, 0, 0.5]]), 0.1)
    balls = inner_balls(Hand("toy", [Link("palm")], [part], {"default": []}), slack=0.004)
    side = np.stack([np.full(2001, 0.1), np.zeros(2001), np.linspace(0, 0.5, 2001)], axis=1)
    assert 0.003 < outside(balls, side).max() <= 0.004


@pytest.mark.parametrize("name", HANDS)
def test_the_balls_of_a_hand_are_few_and_on_every_link_that_has_a_shape(name):
    hand, balls = load_hand(name), inner_balls(load_hand(name))
    assert len(balls.radii) < 400
    assert {hand.links[index] for index in balls.links} == {part.link for part in hand.parts}
