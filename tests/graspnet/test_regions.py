import numpy as np
import pytest

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.graspnet import regions
from graspbook.graspnet.regions import held_regions
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.objects.families import make_shape


def grasp(centre, approach, closing):
    """The pose whose pads' middle is at `centre`."""
    rotation = np.stack([closing, np.cross(approach, closing), approach], axis=1).astype(float)
    return pose.from_rt(
        rotation, np.asarray(centre, float) - FRANKA.pad_z * np.asarray(approach, float)
    )


def make(family, seed=0):
    return make_shape(family, np.random.default_rng(seed))


def rim_radius(obj, region):
    """Middle of the wall, and the height, at its top."""
    wall = obj.parts[region[0].stop - 1]
    top = wall.vertices[np.isclose(wall.vertices[:, 2], wall.vertices[:, 2].max())]
    radius = np.linalg.norm(top[:, :2], axis=1)
    return (radius.min() + radius.max()) / 2, top[0, 2]


@pytest.mark.parametrize("family", ["bowl", "mug", "cup", "pan"])
@pytest.mark.parametrize("seed", range(3))
def test_a_pinched_wall_is_the_rim(family, seed):
    obj = make(family, seed)
    radius, height = rim_radius(obj, regions._PARTS[family])
    down = [0, 0, -1.0]
    across = grasp([0, radius, height - 0.006], down, [0, 1.0, 0])
    turned = grasp([0, radius, height - 0.006], down, [0, -1.0, 0])
    other_side = grasp([0, -radius, height - 0.006], down, [0, 1.0, 0])
    assert list(held_regions(obj, np.stack([across, turned, other_side]))) == ["rim"] * 3


@pytest.mark.parametrize("seed", range(3))
def test_both_walls_between_the_pads_are_the_body(seed):
    cup = make("cup", seed)
    radius = np.linalg.norm(cup.mesh.vertices[:, :2], axis=1).max()
    if radius > 0.038:
        pytest.skip("wider than the hand")
    side = grasp([0, 0, cup.mesh.bounds[1, 2] / 2], [1.0, 0, 0], [0, 1.0, 0])
    above = grasp([0, 0, cup.mesh.bounds[1, 2] - 0.006], [0, 0, -1.0], [0, 1.0, 0])
    assert list(held_regions(cup, np.stack([side, above]))) == ["body", "body"]


def test_some_cups_fit_the_hand():
    assert (
        min(
            np.linalg.norm(make("cup", seed).mesh.vertices[:, :2], axis=1).max()
            for seed in range(3)
        )
        <= 0.038
    )


@pytest.mark.parametrize("family", ["mug", "jug", "pan"])
@pytest.mark.parametrize("seed", range(3))
def test_fingers_on_both_sides_of_the_handle_hold_it(family, seed):
    obj = make(family, seed)
    parts = obj.parts[regions._PARTS[family][1]]
    if family == "pan":  # a bar, from above
        centre, approach = parts[0].center_mass, [0, 0, -1.0]
    else:  # the outermost of a bow, from the side
        reach = max(part.vertices[:, 0].max() for part in parts)
        centre, approach = (
            [reach - 0.004, 0, np.mean([part.center_mass[2] for part in parts])],
            [-1.0, 0, 0],
        )
    assert list(held_regions(obj, grasp(centre, approach, [0, 1.0, 0])[None])) == ["handle"]


def test_a_jug_has_no_rim_and_a_hand_that_misses_holds_nothing():
    jug = make("jug")
    top = jug.mesh.bounds[1, 2]
    knob = grasp([0, 0, top - 0.006], [0, 0, -1.0], [0, 1.0, 0])
    above = grasp([0, 0, top + 0.02], [0, 0, -1.0], [0, 1.0, 0])
    assert list(held_regions(jug, np.stack([knob, above]))) == ["body", "nothing"]


@pytest.mark.parametrize("family", regions.FAMILIES)
def test_every_part_of_wall_and_handle_is_named(family):
    """Handles reach beyond all else along +x; the walls' parts go around the axis."""
    for seed in range(4):
        obj = make(family, seed)
        wall, handle = (list(range(len(obj.parts)))[part] for part in regions._PARTS[family])
        if handle:
            rest = [obj.parts[i] for i in range(len(obj.parts)) if i not in handle]
            assert max(obj.parts[i].vertices[:, 0].max() for i in handle) > max(
                p.vertices[:, 0].max() for p in rest
            )
        if wall:
            angles = [np.arctan2(*obj.parts[i].center_mass[1::-1]) for i in wall]
            assert np.allclose(
                np.sort(np.diff(np.sort(np.unique(np.round(angles, 6))))), 2 * np.pi / 16, atol=1e-4
            )
            assert {i for i in range(len(obj.parts)) if i not in wall + handle} == {0}


def test_regions_do_not_depend_on_the_order_of_grasps():
    mug = make("mug", 1)
    rng = np.random.default_rng(0)
    grasps = pose.from_rt(pose.random_rotations(60, rng), rng.uniform(-0.15, 0.15, (60, 3)))
    found = held_regions(mug, grasps)
    assert set(found) <= set(regions.REGIONS) and list(held_regions(mug, grasps[::-1])) == list(
        found[::-1]
    )


def test_no_grasps_hold_nothing():
    assert held_regions(make("mug"), np.zeros((0, 4, 4))).shape == (0,)


def test_families_without_known_regions_are_refused():
    with pytest.raises(ParameterError, match="box.*bowl, mug, cup, pan, jug"):
        held_regions(make("box"), np.eye(4)[None])
