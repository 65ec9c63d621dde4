"""Compressed recordings that get too large."""

import bz2

import lz4.frame
import numpy as np
import pytest
from rosbags import rosbag2

from graspbook.errors import CaptureError
from graspbook.perception import decompression
from graspbook.perception.recordings import read_recording

from .test_recordings import BOTH, DEPTH, write

BOMB = bytes(50_000_000)  # 50 kB when compressed


@pytest.mark.parametrize(
    ("name", "mode"), [("r.bag", ""), ("s", "MESSAGE"), ("s", "FILE"), ("mcap", "STORAGE")]
)
def test_compressed_recordings_are_read_up_to_a_size(tmp_path, name, mode, monkeypatch):
    path = write(tmp_path, name, *BOTH, mode=mode)
    np.testing.assert_array_equal(read_recording(path, [])["depth"], DEPTH)
    monkeypatch.setattr(decompression, "MOST", 1000)
    monkeypatch.setattr(decompression, "MOST_GROWTH", 0)
    with pytest.raises(CaptureError, match=f"{path}: .* gets larger than 1000 bytes"):
        read_recording(path, [])


def test_no_more_is_decompressed_than_the_size_that_is_claimed(tmp_path):
    zstd = rosbag2.reader.zstd
    with decompression.bounded(tmp_path):
        read = rosbag2.storage_mcap.DECOMPRESSORS
        for kind, data in {"zstd": zstd.compress(BOMB), "lz4": lz4.frame.compress(BOMB)}.items():
            assert read[kind](data, len(BOMB)) == BOMB
            with pytest.raises(CaptureError, match="larger than 100 bytes"):
                read[kind](data, 100)
            with pytest.raises(EOFError):
                read[kind](data[:-9], len(BOMB))
            with pytest.raises(CaptureError, match=f"larger than {decompression.MOST} bytes"):
                read[kind](data, 2**40)
    assert rosbag2.reader.zstd is zstd
    twice = decompression._decompress(tmp_path, bz2.BZ2Decompressor)
    assert twice(bz2.compress(b"a") + bz2.compress(b"b")) == b"ab"
