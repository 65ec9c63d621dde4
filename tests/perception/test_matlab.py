"""Matrices of .mat files, as SciPy reads them, without its crashes on damaged ones."""

import io

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from graspbook.errors import CaptureError
from graspbook.perception.camera_info import read_camera
from graspbook.perception.matlab import read_matrices

K = np.array([[616.5, 0, 310.25], [0, 616.25, 236.5], [0, 0, 1.0]])
CONTENT = {
    "intrinsic_matrix": K,
    "factor_depth": np.array([[10000]], np.uint16),
    "poses": np.arange(24, dtype=np.float32).reshape(3, 4, 2),
    "small": np.array([[1]], np.int8),
    "a_name_that_is_quite_long": np.arange(6).reshape(2, 3),
    "text": "words",
    "cells": np.array([1, "a"], object),
    "vertmap": np.zeros((200, 300)),
}
NUMBERS = ("intrinsic_matrix", "factor_depth", "poses", "small", "a_name_that_is_quite_long")


def mat(content, **options):
    stream = io.BytesIO()
    savemat(stream, content, **options)
    return stream.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_numbers_are_those_of_scipy(tmp_path, compressed):
    (tmp_path / "m.mat").write_bytes(mat(CONTENT, do_compression=compressed))
    found, expected = read_matrices(tmp_path / "m.mat"), loadmat(tmp_path / "m.mat")
    assert tuple(found) == NUMBERS
    for name in NUMBERS:
        np.testing.assert_array_equal(found[name], expected[name])
        assert found[name].dtype == expected[name].dtype


def test_version_4(tmp_path):
    (tmp_path / "m.mat").write_bytes(mat({"text": "words", "K": K, "z": 1j * K}, format="4"))
    found = read_matrices(tmp_path / "m.mat")
    assert tuple(found) == ("K",)
    np.testing.assert_array_equal(found["K"], K)


def test_version_7_3_is_refused_with_advice(tmp_path):
    (tmp_path / "m.mat").write_bytes(b"MATLAB 7.3".ljust(512) + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(CaptureError, match=r"m.mat: .*MATLAB 7.3, expected .* -v7"):
        read_camera(tmp_path / "m.mat")


def test_damaged_files_are_read_or_refused_in_one_line(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "m.mat"
    small = {name: CONTENT[name] for name in NUMBERS[:3]}
    kinds = [mat(small), mat(small, do_compression=True), mat({"K": K}, format="4")]
    for i in range(300):
        data = bytearray(kinds[i % 3])
        if i % 2:
            del data[int(rng.integers(len(data))) :]
        else:
            for place in rng.integers(len(data), size=int(rng.integers(1, 12))):
                data[place] = rng.integers(256)
            place = int(rng.integers(len(data)))
            data[place : place + 4] = (b"\xff\xff\xff\x7f", b"\xff" * 4, b"\0" * 4)[i % 9 // 3]
        path.write_bytes(data)
        try:
            read_camera(path)
        except CaptureError as error:
            assert str(error) and "\n" not in str(error)
