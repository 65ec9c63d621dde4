"""What readers check first."""

import pytest

from graspbook.errors import CaptureError
from graspbook.perception.readable import readable


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("a.las", 1, r"a.las: unknown kind of camera file '.las'; expected one of .json, .txt"),
        ("none.json", 0, "none.json: no such camera file"),
        ("a.json", 11, "a.json: 11 bytes, expected a camera file of at most 10 bytes"),
        ("a.json", 9, r"a.json: not a readable .json file \(KeyError\)"),
    ],
)
def test_a_file_that_is_not_readable_is_one_line(tmp_path, name, size, words):
    if size:
        (tmp_path / name).write_bytes(bytes(size))
    with (
        pytest.raises(CaptureError, match=words),
        readable(tmp_path / name, "camera file", suffixes=(".json", ".txt"), most=10),
    ):
        raise KeyError
