import numpy as np
import pytest
import torch
import trimesh
from scipy.ndimage import label

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.objects import distance
from graspbook.objects.occupancy import occupancy_grids
from graspbook.objects.rotations import rotations, turned_frame
from graspbook.objects.solids import union, vessel


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("GRASPBOOK_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def centres(grid_T_object, size):
    """Centres (size³, 3) of the voxels in the object frame."""
    unit = np.stack(
        np.meshgrid(*[(np.arange(size) + 0.5) / size] * 3, indexing="ij"), axis=-1
    ).reshape(-1, 3)
    return (unit - grid_T_object[:3, 3]) @ np.linalg.inv(grid_T_object[:3, :3]).T


def test_95_percent_of_the_cube_are_the_length():
    ball = trimesh.creation.icosphere(4, radius=0.04)
    ball.apply_translation([1.0, 2.0, 3.0])
    grids, grid_T_object = occupancy_grids(
        ball, turned_frame(rotations()[:2], ball.center_mass), 32, 0.081
    )
    assert grids.shape == (2, 32, 32, 32) and grids.dtype == bool
    scale = 0.95 / 0.081
    assert np.allclose(np.linalg.det(grid_T_object[:, :3, :3]), scale**3, rtol=1e-3)
    assert np.allclose(pose.transform(grid_T_object, ball.center_mass[None]), 0.5)
    away = np.linalg.norm(centres(grid_T_object[0], 32) - ball.center_mass, axis=1)
    voxel = 1 / 32 / scale
    assert grids[0].ravel()[away < 0.04].all() and not grids[0].ravel()[away > 0.04 + voxel].any()


def test_signs_agree_with_the_distance_field_in_every_rotation():
    """A lopsided object stays in the cube, solid inside, at the same scale in every rotation."""
    handle = trimesh.creation.box(bounds=[[0, -0.005, -0.005], [0.16, 0.005, 0.005]])
    pan = union([trimesh.creation.cylinder(0.03, 0.04, sections=24), handle])
    frames = turned_frame(rotations(), pan.center_mass)
    grids, grid_T_object = occupancy_grids(pan, frames, 32, 0.3006)
    field = distance.stack([distance.signed_distance_grid(pan)])
    voxel = 1 / 32 / np.cbrt(np.linalg.det(grid_T_object[:, :3, :3]))
    assert np.ptp(voxel) < 1e-12
    for grid, matrix in zip(grids, grid_T_object, strict=True):
        found = distance.lookup(field, torch.as_tensor(centres(matrix, 32))[None])[0].numpy()
        clear = np.abs(found) > voxel[0]
        assert np.array_equal(grid.ravel()[clear], found[clear] < 0)
        corners = pose.transform(matrix, pan.vertices)
        assert corners.min() > 0 and corners.max() < 1
    counts = grids.sum(axis=(1, 2, 3))
    assert np.ptp(counts) < 0.2 * counts.mean()


def test_a_vessel_stays_hollow_and_its_thin_wall_closed():
    cup = union(vessel([(0.03, 0.0), (0.03, 0.003), (0.035, 0.09)], 0.002, 16))
    grid = occupancy_grids(cup, turned_frame(np.eye(3)[None], cup.center_mass), 64, 0.125)[0][0]
    for layer in grid[:, :, 30:34].transpose(2, 0, 1):
        regions, count = label(~layer)
        assert count == 2  # inside and outside the wall
        assert regions[32, 32] != regions[0, 0]


def test_a_common_length_keeps_sizes_apart():
    small, large = trimesh.creation.box([0.04] * 3), trimesh.creation.box([0.08] * 3)
    frame = np.eye(4)[None]
    counts = [occupancy_grids(mesh, frame, 40, 0.2)[0].sum() for mesh in (small, large)]
    assert counts[1] / counts[0] == pytest.approx(8, rel=0.25)
    with pytest.raises(
        ParameterError,
        match="reaches 0.06928 m from its centre of mass, expected at most 0.05 m",
    ):
        occupancy_grids(large, frame, 40, 0.1)
