import numpy as np
import pytest
import trimesh

from graspbook.objects.winding import boxes, winding_numbers

SIZE = 24
BOX = trimesh.creation.box(bounds=[[6, 5, 4], [18, 19, 20]])
NODES = np.stack(np.meshgrid(*[np.arange(SIZE)] * 3, indexing="ij"), axis=-1)


def solid_angles(triangles, points):
    """Winding numbers (N,) by the formula of van Oosterom and Strackee, triangle by triangle."""
    a, b, c = np.moveaxis(triangles[None] - points[:, None, None], 2, 0)
    la, lb, lc = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
    triple = np.einsum("nfi,nfi->nf", a, np.cross(b, c))
    dots = [
        np.einsum("nfi,nfi->nf", u, v) * length
        for u, v, length in ((a, b, lc), (b, c, la), (c, a, lb))
    ]
    return np.arctan2(triple, la * lb * lc + sum(dots)).sum(axis=1) / (2 * np.pi)


def test_closed_meshes_have_whole_numbers():
    """A box, one within it, and one inside out in that: 0 outside, then 1, 2, 1, although edges lie
    on lines of the grid.
    """
    inner = trimesh.creation.box(bounds=[[8, 8, 8], [16, 16, 16]])
    core = trimesh.creation.box(bounds=[[10, 10, 10], [13, 13, 13]])
    found = winding_numbers(
        np.concatenate([BOX.triangles, inner.triangles, core.triangles[:, ::-1]]), SIZE
    )
    within = [
        ((NODES > box.bounds[0]) & (NODES < box.bounds[1])).all(axis=-1).astype(int)
        for box in (BOX, inner, core)
    ]
    on = np.zeros(found.shape, bool)
    for box in (BOX, inner, core):
        on |= ((NODES == box.bounds[0]) | (NODES == box.bounds[1])).any(axis=-1)
    assert np.array_equal(found[~on], (within[0] + within[1] - within[2])[~on])


@pytest.mark.parametrize("missing", [[0], [0, 1], [0, 3, 5]])
def test_open_meshes_come_close_to_the_solid_angle(missing):
    triangles = np.delete(BOX.triangles, missing, axis=0) + 0.37
    found = winding_numbers(triangles, SIZE)
    chosen = NODES.reshape(-1, 3)[::7]
    exact = solid_angles(triangles, chosen.astype(float))
    error = found[tuple(chosen.T)] - exact
    assert np.abs(error).mean() < 0.04 and np.sqrt(np.mean(error**2)) < 0.07
    clear = np.abs(exact - 0.5) > 0.2
    assert np.mean((found[tuple(chosen.T)] > 0.5)[clear] == (exact > 0.5)[clear]) > 0.999


def test_every_point_of_every_box():
    owner, (i, j) = boxes(np.array([[0, 0], [5, 5], [2, 3]]), np.array([[1, 2], [4, 9], [2, 3]]))
    assert owner.tolist() == [0] * 6 + [2]
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
        (1, 2),
        (2, 3),
    ]
