"""Arrays of ROS messages: depth images, colours, camera matrices and point clouds.

The messages are objects with the fields of sensor_msgs, of ROS 1 or ROS 2.
"""

import io
import struct
from typing import Any

import numpy as np
from PIL import Image

from graspbook.perception.images import MOST_PIXELS

_DEPTH = {"16UC1": "u2", "mono16": "u2", "z16": "u2", "32FC1": "f4"}
_COLOUR = {"rgb8": (3, 1), "bgr8": (3, -1), "rgba8": (4, 1), "bgra8": (4, -1)}
_FIELDS = ("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8")  # PointField.INT8 = 1, and so on
_PNG = b"\x89PNG\r\n\x1a\n"
_COMPRESSED = 12  # bytes of compressed_depth_image_transport before the picture


def is_depth(message: Any) -> bool:
    """Whether an Image or CompressedImage holds depth.

    message: of either type.
    """
    if hasattr(message, "encoding"):
        return message.encoding in _DEPTH or message.encoding.lower() in _DEPTH
    return "compresseddepth" in message.format.lower()


def is_colour(message: Any) -> bool:
    """Whether an Image or CompressedImage holds colours that can be read.

    message: of either type.
    """
    if hasattr(message, "encoding"):
        return message.encoding in _COLOUR
    return not is_depth(message)


def depth_of(message: Any) -> np.ndarray:
    """Depth (H, W): float32 in metres, or uint16 in the camera's units.

    message: Image or CompressedImage of depth.

    Raises ValueError where its bytes are not such an image.
    """
    if not hasattr(message, "encoding"):
        return _compressed_depth(message)
    kind = _DEPTH.get(message.encoding) or _DEPTH.get(message.encoding.lower())
    if kind is None:
        raise ValueError(f"encoding {message.encoding!r}, expected one of {', '.join(_DEPTH)}")
    return _pixels(message, np.dtype(kind), 1)[..., 0]


def colours_of(message: Any) -> np.ndarray:
    """Colours (H, W, 3) uint8.

    message: Image or CompressedImage of colours.

    Raises ValueError where its bytes are not such an image.
    """
    if not hasattr(message, "encoding"):
        return np.array(_picture(bytes(message.data)).convert("RGB"))
    channels, order = _COLOUR[message.encoding]
    return _pixels(message, np.dtype("u1"), channels)[..., :3][..., ::order]


def points_of(message: Any) -> np.ndarray:
    """Points (M, 3), or (H, W, 3) of an organised cloud, in its own frame.

    message: PointCloud2.

    Raises ValueError where x, y, z or bytes are missing.
    """
    fields = {field.name: field for field in message.fields}
    if not {"x", "y", "z"} <= set(fields):
        raise ValueError(f"the cloud has the fields {', '.join(fields)}, expected x, y and z")
    order = "><"[not message.is_bigendian]
    kind = np.dtype(
        {
            "names": list("xyz"),
            "formats": [order + _FIELDS[fields[axis].datatype - 1] for axis in "xyz"],
            "offsets": [fields[axis].offset for axis in "xyz"],
            "itemsize": message.point_step,
        }
    )
    rows = _rows(message, message.point_step, message.row_step)
    cloud = np.ascontiguousarray(rows).view(kind)
    points = np.stack([cloud[axis] for axis in "xyz"], axis=-1)
    return points if message.height > 1 else points[0]


def matrix_of(message: Any, *, rectified: bool) -> np.ndarray:
    """The camera matrix K (3, 3).

    message: CameraInfo.
    rectified: whether its images are, so that the projection matrix tells.
    """
    k, p = (message.k, message.p) if hasattr(message, "k") else (message.K, message.P)
    K, P = np.reshape(k, (3, 3)), np.reshape(p, (3, 4))
    return P[:, :3] if rectified and P[0, 0] > 0 else K


def distortion_of(message: Any) -> np.ndarray:
    """Coefficients of the lens distortion.

    message: CameraInfo.
    """
    return np.asarray(getattr(message, "d", getattr(message, "D", ())), float)


def _pixels(message, kind, channels):
    """Pixels (H, W, channels) of an Image, in the byte order of this machine."""
    rows = _rows(message, channels * kind.itemsize, message.step)
    pixels = np.ascontiguousarray(rows).view(kind.newbyteorder("><"[not message.is_bigendian]))
    return pixels.reshape(message.height, message.width, channels).astype(kind)


def _rows(message, size, step):
    """Bytes (H, W * size) of a message whose rows are `step` bytes apart."""
    height, width, data = message.height, message.width, np.asarray(message.data, np.uint8)
    if not 0 < height * width <= MOST_PIXELS:
        raise ValueError(
            f"a message has {width} x {height} pixels, expected 1 to {MOST_PIXELS} in total"
        )
    if step < width * size or len(data) < height * step:
        raise ValueError(
            f"a message has {len(data)} bytes, expected {height * max(step, width * size)} bytes"
            f" for {width} x {height} pixels with {size} bytes each"
        )
    return data[: height * step].reshape(height, step)[:, : width * size]


def _compressed_depth(message):
    """Depth of compressed_depth_image_transport, or of librealsense, which has no header."""
    data = bytes(message.data)
    start = data[:64].find(_PNG)
    if start < 0:
        raise ValueError(f"depth is compressed as {message.format!r}, expected PNG")
    stored = np.array(_picture(data[start:]))
    if stored.ndim != 2 or stored.dtype.itemsize == 1:
        raise ValueError(f"the pixels are of type {stored.dtype}, expected 16 bits per pixel")
    if "32FC1" not in message.format:
        return stored.astype(np.uint16)
    if start != _COMPRESSED:
        raise ValueError("compressed floats without their range")
    a, b = struct.unpack("<4xff", data[:_COMPRESSED])  # depth is a / (stored - b)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = a / (stored.astype(np.float32) - b)
    return np.where(stored > 0, depth, 0).astype(np.float32)


def _picture(data):
    picture = Image.open(io.BytesIO(data))
    if picture.width * picture.height > MOST_PIXELS:
        raise ValueError(
            f"a picture has {picture.width} x {picture.height} pixels,"
            f" expected at most {MOST_PIXELS}"
        )
    return picture
