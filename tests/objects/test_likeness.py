import numpy as np
import pytest
import trimesh

from graspbook.objects.likeness import chamfer, overlap


def cube(*shift):
    mesh = trimesh.creation.box((0.1, 0.1, 0.1))
    mesh.apply_translation(shift)
    return mesh


def test_overlap_by_hand():
    assert overlap(cube(0, 0, 0), cube(0, 0, 0)) == 1
    assert overlap(cube(0, 0, 0), cube(0.05, 0, 0)) == pytest.approx(1 / 3, abs=0.01)
    assert overlap(cube(0, 0, 0), cube(0, 0.3, 0)) == 0
    assert overlap(cube(0, 0, 0), trimesh.creation.box((0.05,) * 3)) == pytest.approx(
        1 / 8, abs=0.01
    )


def test_chamfer_by_hand():
    one = trimesh.creation.box((0.4, 0.4, 1e-4))
    other = one.copy()
    other.apply_translation([0, 0, 0.02])
    assert chamfer(one, other) == pytest.approx(0.02, abs=0.001)
    assert chamfer(one, other) == pytest.approx(chamfer(other, one), rel=0.02)
    assert chamfer(one, one) < 0.003  # two samples of one surface
    assert np.isfinite(chamfer(one, cube(1, 1, 1)))
