import mujoco
import numpy as np
import pytest
import torch

from graspbook.hands import mjcf
from graspbook.hands.articulated import Hand
from graspbook.hands.library import HANDS, load_hand
from graspbook.hands.parts import Link, Part
from graspbook.hands.self_collision import (
    deepest_self,
    segment_distances,
    self_depths,
    shapes,
)

UP = np.array([[0, 0, 0], [0, 0, 0.04]])
BOX = np.array([[x, y, z] for x in (-0.05, 0.05) for y in (-0.02, 0.02) for z in (-0.02, 0)])


def at(x, y=0.0, z=0.0):
    pose = np.eye(4)
    pose[:3, 3] = [x, y, z]
    return pose


def two_fingers(gap=0.03):
    """A palm and two fingers of radius 5 mm that slide towards each other along x."""
    slide = {"axis": (1.0, 0.0, 0.0), "limits": (-0.05, 0.05), "slides": True}
    links = [
        Link("palm"),
        Link("left", "palm", at(-gap / 2), "left", **slide),
        Link("right", "palm", at(gap / 2), "right", **slide),
    ]
    parts = [Part("palm", BOX), Part("left", UP, 0.005), Part("right", UP, 0.005)]
    return Hand("toy", links, parts, {"default": []})


def deepest(hand, *joints):
    return float(deepest_self(hand, hand.forward(torch.tensor([joints], dtype=torch.float64)))[0])


def test_two_fingers_are_as_deep_as_their_axes_are_near():
    hand = two_fingers(gap=0.03)
    assert deepest(hand, 0.0, 0.0) == 0
    assert deepest(hand, 0.01, -0.008) == 0  # 12 mm between the axes
    assert deepest(hand, 0.012, -0.011) == pytest.approx(0.003)


def test_a_link_and_the_one_that_carries_it_may_overlap():
    hand = two_fingers()  # both start inside the palm's edge: half of their round end is in it
    assert deepest(hand, 0.0, 0.0) == 0


def test_a_finger_that_folds_into_the_palm_is_as_deep_as_its_ball_is_in_the_box():
    links = [
        Link("palm"),
        Link("lower", "palm", at(0.0), "lower", (0.0, 1.0, 0.0), (-0.1, 0.1)),
        Link(
            "upper",
            "lower",
            at(0.0, 0.0, 0.05),
            "upper",
            (0.0, 0.0, 1.0),
            (-0.08, 0.0),
            slides=True,
        ),
    ]
    parts = [Part("palm", BOX), Part("lower", UP, 0.005), Part("upper", UP, 0.005)]
    hand = Hand("toy", links, parts, {"default": []})
    assert deepest(hand, 0.0, -0.043) == 0
    # The axis of the upper link ends 1 mm above the palm's face, then 3 mm below it.
    assert deepest(hand, 0.0, -0.049) == pytest.approx(0.004, abs=3e-4)
    assert deepest(hand, 0.0, -0.053) == pytest.approx(0.008, abs=3e-4)


def test_distances_of_segments_worked_by_hand():
    start, end = torch.zeros(5, 3), torch.tensor([[1.0, 0, 0]] * 5)
    other = torch.tensor(
        [
            [[0.5, -1, 0.2], [0.5, 1, 0.2]],  # crosses above
            [[0.0, 0.3, 0], [1.0, 0.3, 0]],  # parallel
            [[2.0, 0, 0], [3.0, 0, 0]],  # further along the same line
            [[0.5, 0, 0.4], [0.5, 0, 0.4]],  # a point
            [[1.3, 0.4, 0], [2.0, 1.0, 0]],  # nearest at two ends
        ]
    )
    found = segment_distances(start, end, other[:, 0], other[:, 1])
    np.testing.assert_allclose(found, [0.2, 0.3, 1.0, 0.4, 0.5], atol=1e-6)
    back = segment_distances(other[:, 0], other[:, 1], start, end)
    np.testing.assert_allclose(back, found, atol=1e-6)


@pytest.mark.parametrize("name", HANDS)
def test_depths_are_those_of_another_library(name):
    hand, rng = load_hand(name), np.random.default_rng(0)
    low, high = hand.limits.T
    joints = low + rng.uniform(size=(60, len(low))) * (high - low)
    own = deepest_self(hand, hand.forward(torch.as_tensor(joints))).numpy()
    theirs = np.array([mujocos_depth(hand, values) for values in joints])
    if name != "franka":  # whose fingers only slide, and never meet
        assert (theirs > 0.004).sum() > 10 and (theirs < 0.002).sum() > 10
    np.testing.assert_allclose(own, theirs, atol=0.0015)


def mujocos_depth(hand, joints):
    """The deepest overlap of parts of links that are no neighbours, by MuJoCo."""
    model, kin = compiled(hand)
    data = mujoco.MjData(model)
    for joint, value in zip(hand.all_joints, hand.expand(joints), strict=True):
        data.joint(f"hand/{joint}").qpos[:] = value
    mujoco.mj_forward(model, data)
    found = [0.0]
    for one in range(model.ngeom):
        for other in range(one):
            pair = [model.geom(geom).name.split("/")[1] for geom in (one, other)]
            if pair[0] != pair[1] and kin(*pair) and kin(*pair[::-1]):
                found.append(-mujoco.mj_geomDistance(model, data, one, other, 0.1, None))
    return max(found)


_COMPILED = {}


def compiled(hand):
    if hand.name not in _COMPILED:
        spec = mujoco.MjSpec()
        mjcf.add_hand(spec, hand)
        shaped = {part.link for part in hand.parts}
        parents = {link.name: link.parent for link in hand.tree}

        def not_above(link, other):
            """Whether `other` is not the next link above that has a shape."""
            link = parents[link]
            while link is not None and link not in shaped:
                link = parents[link]
            return link != other

        _COMPILED[hand.name] = spec.compile(), not_above
    return _COMPILED[hand.name]


@pytest.mark.parametrize("name", HANDS)
def test_gradients_are_those_of_finite_differences(name):
    hand, rng = load_hand(name), np.random.default_rng(1)
    low, high = hand.limits.T
    joints = torch.as_tensor(low + rng.uniform(size=(4, len(low))) * (high - low))

    def total(values):
        return self_depths(hand, hand.forward(values)).clamp(min=0).square().sum()

    joints.requires_grad_()
    (gradient,) = torch.autograd.grad(total(joints), joints)
    assert gradient.abs().max() > 1e-6 or name == "franka"
    step = 1e-6
    with torch.no_grad():
        for row, column in enumerate(rng.integers(len(low), size=4)):
            there = [joints.clone() for _ in range(2)]
            there[0][row, column] += step
            there[1][row, column] -= step
            slope = (total(there[0]) - total(there[1])) / (2 * step)
            assert float(gradient[row, column]) == pytest.approx(float(slope), rel=0.02, abs=1e-7)


@pytest.mark.parametrize("name", HANDS)
def test_an_open_hand_is_free_of_itself_wherever_it_is(name):
    hand = load_hand(name)
    base = torch.eye(4).repeat(3, 1, 1)
    base[:, :3, 3] = torch.tensor([[0, 0, 0], [0.3, -0.2, 0.1], [-1.0, 0, 2.0]])
    joints = torch.as_tensor(hand.open, dtype=torch.float32).repeat(3, 1)
    depths = deepest_self(hand, hand.forward(joints, base))
    assert depths.max() <= 0.002
    np.testing.assert_allclose(depths, depths[0], atol=1e-5)


def test_crossed_fingers_of_the_shadow_hand_are_seen():
    hand = load_hand("shadow")
    values = dict.fromkeys(hand.joints, 0.0)
    sideways = [values | {"FFJ3": value} for value in (-0.34, 0.34)]  # away, and over the next
    joints = np.array([[v[j] for j in hand.joints] for v in sideways])
    depths = sorted(deepest_self(hand, hand.forward(torch.as_tensor(joints))).tolist())
    assert depths[0] < 0.002 < 0.008 < depths[1]


def test_what_never_meets_is_not_compared():
    found = shapes(two_fingers(gap=0.2))
    assert found.pairs.shape == (2, 0)
