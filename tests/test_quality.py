import numpy as np
import pytest
from scipy.optimize import linprog

from graspbook.errors import ParameterError
from graspbook.pose import random_rotations
from graspbook.quality import balanced_forces, contact_wrenches, epsilon

CUBE = np.concatenate([np.eye(3), -np.eye(3)]) * 0.05
CORNER = 0.05 * np.sqrt(3)


def on_ellipsoid(rng, count):
    """Contacts on an ellipsoid with half axes of 3, 4 and 5 cm, and normals that point inwards,
    within some 15°.
    """
    out = rng.normal(size=(count, 3))
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    normals = -out + 0.15 * rng.normal(size=(count, 3))
    return out * [0.03, 0.04, 0.05], normals / np.linalg.norm(normals, axis=1, keepdims=True)


@pytest.mark.parametrize(("friction", "expected"), [(0.2, 0.0943), (0.5, 0.2357), (1.0, 0.4714)])
def test_six_face_centres_of_a_cube(friction, expected):
    assert epsilon(CUBE, -CUBE / 0.05, np.zeros(3), CORNER, friction=friction) == pytest.approx(
        expected, abs=1e-4
    )


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_contacts_have_no_closure(count):
    assert (
        epsilon(
            CUBE[[0, 3]][:count], -CUBE[[0, 3]][:count] / 0.05, np.zeros(3), CORNER, friction=1.0
        )
        == -1
    )


def test_degenerate_contacts_have_no_closure():
    same = np.repeat(CUBE[:1], 5, axis=0)
    assert epsilon(same, -same / 0.05, np.zeros(3), CORNER) == -1
    assert (
        epsilon(CUBE, -CUBE / 0.05, np.zeros(3), CORNER, friction=0.0) == -1
    )  # no friction: no torques
    one_side = np.array([[x, y, 0.05] for x in (-0.04, 0.0, 0.04) for y in (-0.03, 0.0, 0.03)])
    assert (
        epsilon(one_side, np.tile([0.0, 0.0, -1.0], (9, 1)), np.zeros(3), CORNER, friction=1.0)
        == -1
    )


def test_pulling_is_not_pushing():
    """All contacts on one half of the object close nothing; opposite ones do."""
    points, normals = on_ellipsoid(np.random.default_rng(0), 10)
    assert epsilon(points, normals, np.zeros(3), 0.05) > 0.05
    upper = points[:, 2] > 0
    assert epsilon(points[upper], normals[upper], np.zeros(3), 0.05, friction=0.2) == -1


@pytest.mark.parametrize("count", [4, 9, 20])
def test_frame_and_size_do_not_matter(count):
    rng = np.random.default_rng(count)
    points, normals = on_ellipsoid(rng, count)
    com, rotation, shift = (
        np.array([0.003, -0.002, 0.001]),
        random_rotations(1, rng)[0],
        rng.normal(size=3),
    )
    expected = epsilon(points, normals, com, 0.05, friction=0.6)
    assert expected > 0
    turned = epsilon(
        points @ rotation.T + shift,
        normals @ rotation.T,
        rotation @ com + shift,
        0.05,
        friction=0.6,
    )
    assert turned == pytest.approx(expected, abs=1e-7)
    assert epsilon(points * 3, normals, com * 3, 0.15, friction=0.6) == pytest.approx(
        expected, abs=1e-7
    )


def test_more_friction_is_never_worse_nor_another_contact():
    points, normals = on_ellipsoid(np.random.default_rng(3), 12)
    grades = [
        epsilon(points, normals, np.zeros(3), 0.05, friction=friction)
        for friction in (0.1, 0.2, 0.4, 0.8)
    ]
    assert grades == sorted(grades) and grades[-1] > grades[0]
    grades = [epsilon(points[:count], normals[:count], np.zeros(3), 0.05) for count in range(13)]
    assert grades == sorted(grades) and grades[0] == -1 and grades[-1] > 0
    wrenches = contact_wrenches(points, normals, np.zeros(3), 0.05, friction=0.4, edges=8)
    assert wrenches.shape == (96, 6)
    assert np.allclose(np.linalg.norm(wrenches[:, :3], axis=1), np.hypot(1, 0.4))


@pytest.mark.parametrize(("count", "seed"), [(5, 1), (8, 0), (15, 0)])
def test_linear_programs_agree(count, seed):
    """The hull reaches the ball in every direction, and no further than it somewhere: next to the
    nearest facet.
    """
    rng = np.random.default_rng(seed)
    points, normals = on_ellipsoid(rng, count)
    wrenches = contact_wrenches(points, normals, np.zeros(3), 0.05, friction=0.4, edges=8)
    found = epsilon(points, normals, np.zeros(3), 0.05, friction=0.4)
    reach = []
    for direction in rng.normal(size=(30, 6)):
        direction /= np.linalg.norm(direction)
        # the largest r with r · direction in the hull
        program = linprog(
            np.append(np.zeros(len(wrenches)), -1.0),
            A_eq=np.vstack(
                [np.column_stack([wrenches.T, -direction]), np.append(np.ones(len(wrenches)), 0.0)]
            ),
            b_eq=np.append(np.zeros(6), 1.0),
            bounds=[(0, None)] * len(wrenches) + [(None, None)],
        )
        reach.append(-program.fun if program.success else -1.0)
    if found < 0:
        assert min(reach) <= 1e-6
        return
    assert min(reach) >= found - 1e-6
    # Descent on max w·u over unit vectors ends at no less than the radius, and at it from
    # somewhere.
    u = rng.normal(size=(3000, 6))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    for step in np.geomspace(0.3, 1e-4, 300):
        trial = u + step * rng.normal(size=u.shape)
        trial /= np.linalg.norm(trial, axis=1, keepdims=True)
        better = (trial @ wrenches.T).max(axis=1) < (u @ wrenches.T).max(axis=1)
        u[better] = trial[better]
    least = (u @ wrenches.T).max(axis=1).min()
    assert found - 1e-6 <= least <= found + 0.02


def test_bad_input_is_refused():
    normals = -CUBE / 0.05
    for points, directions, com, length, friction, match in [
        (CUBE[:, :2], normals, np.zeros(3), 1.0, 0.4, "expected"),
        (CUBE, normals[:3], np.zeros(3), 1.0, 0.4, "expected"),
        (CUBE * np.nan, normals, np.zeros(3), 1.0, 0.4, "finite"),
        (CUBE, normals, np.full(3, np.inf), 1.0, 0.4, "finite"),
        (CUBE, 2 * normals, np.zeros(3), 1.0, 0.4, "unit"),
        (CUBE, normals, np.zeros(3), 0.0, 0.4, "length"),
        (CUBE, normals, np.zeros(3), np.nan, 0.4, "length"),
        (CUBE, normals, np.zeros(3), 1.0, -0.1, "friction"),
    ]:
        with pytest.raises(ParameterError, match=match):
            epsilon(points, directions, com, length, friction=friction)


def test_balanced_forces_cancel_lie_in_their_cones_and_add_up_to_one():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(4, 9, 3))
    points /= np.linalg.norm(points, axis=2, keepdims=True)
    normals, com, there = -points, np.array([0.1, 0.0, -0.1]), rng.uniform(size=(4, 9)) < 0.9
    forces = balanced_forces(0.05 * points, normals, there, 0.05 * com, 0.05, friction=0.5)
    pushes = (forces * normals).sum(axis=2)
    np.testing.assert_allclose(pushes.sum(axis=1), 1, atol=1e-9)
    assert (
        np.linalg.norm(forces - pushes[..., None] * normals, axis=2) < 0.5 * pushes + 1e-9
    ).all()
    np.testing.assert_array_equal(forces[~there], 0)
    np.testing.assert_allclose(forces.sum(axis=1), 0, atol=1e-3)
    np.testing.assert_allclose(np.cross(points - com, forces).sum(axis=1), 0, atol=1e-3)


def test_balanced_forces_of_two_opposite_contacts_are_halves_and_of_none_are_none():
    points, normals = np.array([[[1.0, 0, 0], [-1, 0, 0]]]), np.array([[[-1.0, 0, 0], [1, 0, 0]]])
    given = points, normals, np.array([[True, True]]), np.zeros(3), 1.0
    np.testing.assert_allclose(balanced_forces(*given), normals / 2, atol=1e-3)
    empty = np.zeros((1, 0, 3))
    none = balanced_forces(empty, empty, np.zeros((1, 0), bool), np.zeros(3), 1.0)
    assert none.shape == (1, 0, 3)
    one_sided = balanced_forces(points[:, :1], normals[:, :1], given[2][:, :1], np.zeros(3), 1.0)
    np.testing.assert_allclose(one_sided, normals[:, :1], atol=1e-3)
