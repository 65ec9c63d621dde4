"""Depth in metres, of a camera that fits the image."""

import numpy as np
import pytest

from graspbook.errors import CaptureError
from graspbook.perception.camera_info import CameraInfo
from graspbook.perception.depth_images import read_depth

DEPTH = np.full((48, 64), 0.5)
K = np.array([[60, 0, 31.5], [0, 60, 23.5], [0, 0, 1.0]])


def read(depth, matrix, **info):
    notes = []
    about = CameraInfo(np.asarray(matrix), **info)
    found = read_depth("f.npz", {"depth": depth}, {"depth": "depth"}, 1.0, notes=notes, info=about)
    return found, " ".join(notes)


def test_floats_in_metres_keep_their_values_beside_a_factor():
    assert read(DEPTH, K) == (pytest.approx(DEPTH), "")
    found, notes = read(DEPTH, K, factor=1e-4)
    assert (found == DEPTH).all() and "metres: the factor 0.0001 is not used" in notes
    assert read(DEPTH * 5000, K, factor=1 / 5000)[0] == pytest.approx(DEPTH)


def test_a_matrix_of_another_resolution_is_warned_of():
    notes = read(DEPTH, K * [[0.5], [0.5], [1]])[1]
    assert "warning: the middle of the lens in K is (15.75, 11.75), far from the middle" in notes


@pytest.mark.parametrize(
    ("depth", "matrix", "message"),
    [
        (DEPTH, K * [[3], [3], [1]], "first two rows by 0.339 and 0.34"),
        (DEPTH, K / [[64], [48], [1]], "first two rows by 64 and 48"),
        (DEPTH, K * [[1, 1, -1]], "expected a pixel of the 64 x 48 depth image"),
        (DEPTH / 20, K, "typical distance is 0.025 m, expected at least 0.05 m"),
    ],
)
def test_what_does_not_fit_is_refused(depth, matrix, message):
    with pytest.raises(CaptureError, match=message):
        read(depth, matrix)
