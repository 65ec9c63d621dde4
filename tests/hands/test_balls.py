import numpy as np
import pytest

from graspbook.hands.articulated import Hand, Link, Part
from graspbook.hands.balls import inner_balls
from graspbook.hands.library import load_hand
from graspbook.hands.shape import part_distance

BOX = np.array([[x, y, z] for x in (-0.03, 0.03) for y in (-0.02, 0.02) for z in (-0.01, 0.01)])


def test_a_capsules_balls_are_on_its_axis():
    hand = Hand("toy", [Link("palm")], [Part("palm", np.array([[0, 0, 0], [0, 0, 0.05]]), 0.01)], {"default": []})
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
    outside = np.linalg.norm(points[:, None] - balls.centres, axis=2) - balls.radii
    assert outside.min(axis=1).max() < 0.005


@pytest.mark.parametrize("name", ["shadow", "barrett"])
def test_the_balls_of_a_hand_are_few_and_on_every_link_that_has_a_shape(name):
    hand, balls = load_hand(name), inner_balls(load_hand(name))
    assert len(balls.radii) < 300
    assert {hand.links[index] for index in balls.links} == {part.link for part in hand.parts}
