"""Compressed parts of recordings, read up to a size: few bytes can claim to hold gigabytes."""

import bz2
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from graspbook.errors import CaptureError

MOST = 2**28  # bytes of one chunk or message
MOST_GROWTH = 200  # of a whole file that is compressed, where it gets larger than MOST


@contextmanager
def bounded(path: Path) -> Iterator[None]:
    """Within this context rosbags decompresses no more than MOST bytes of a chunk.

    path: of the recording, for errors.

    Raises CaptureError where there are more, from within the reader.
    """
    import lz4.frame
    from rosbags import rosbag1, rosbag2

    zstd = rosbag2.reader.zstd  # of Python's own library, or its backport
    unlz4 = _decompress(path, lz4.frame.LZ4FrameDecompressor)
    unzstd = _decompress(path, zstd.ZstdDecompressor)

    class File(zstd.ZstdFile):
        def __init__(self, stream: Any, _: str) -> None:
            super().__init__(stream, "rb")
            self.most = max(MOST, MOST_GROWTH * os.fstat(stream.fileno()).st_size)

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            if self.tell() > self.most:
                raise _too_large(path, "the file", self.most)
            return data

    class Zstd:
        open, decompress = File, staticmethod(unzstd)

    ros1 = {"bz2": _decompress(path, bz2.BZ2Decompressor), "lz4": unlz4}
    with (
        patch.dict(rosbag1.reader.decompressors, ros1),
        patch.dict(rosbag2.storage_mcap.DECOMPRESSORS, {"lz4": unlz4, "zstd": unzstd}),
        patch.object(rosbag2.reader, "zstd", Zstd),
    ):
        yield


def _decompress(path: Path, make: Callable[[], Any]) -> Callable[..., bytes]:
    """A function of compressed bytes, and of the size that they claim to have, if they do."""

    def decompress(data: bytes, size: int = 0) -> bytes:
        if size > MOST:
            raise _too_large(path, "a chunk", MOST)
        most, parts, length = size or MOST, [], 0
        while data:  # streams may follow each other
            stream = make()
            parts.append(stream.decompress(data, most - length + 1))
            length += len(parts[-1])
            if length > most:
                raise _too_large(path, "a chunk", most)
            if not stream.eof:
                raise EOFError("a compressed chunk is cut off")
            data = stream.unused_data
        return b"".join(parts)

    return decompress


def _too_large(path, what, most):
    return CaptureError(
        f"{path}: {what} gets larger than {most} bytes when it is decompressed; expected at most"
        " that. It is damaged, or not a recording"
    )
