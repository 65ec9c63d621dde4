"""Recordings of ROS 1, ROS 2 and RealSense: the first depth image or point cloud in them.

The package rosbags reads them, without ROS. It is imported only when a recording is opened.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from graspbook.errors import CaptureError
from graspbook.perception import ros_messages as ros
from graspbook.perception.decompression import bounded

SUFFIXES = (".bag", ".db3", ".mcap")
_IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
_CAMERA, _CLOUD = "sensor_msgs/msg/CameraInfo", "sensor_msgs/msg/PointCloud2"
_MOST_FRAMES = 100  # looked through for one that has depths
_SAME_TIME = 100_000_000  # nanoseconds between depth and colour that belong together
_CUT_OFF = {
    ".bag": "rosbag reindex FILE",
    ".mcap": "mcap recover FILE -o NEW.mcap",
    ".db3": "ros2 bag reindex FOLDER",
}


def is_recording(path: Path) -> bool:
    """Whether a path is that of a recording: by its suffix, or a folder with metadata.yaml.

    path: of a file or a folder.
    """
    return path.suffix.lower() in SUFFIXES or (path / "metadata.yaml").is_file()


def read_recording(path: Path, notes: list[str], topic: str | None = None) -> dict[str, np.ndarray]:
    """The first frame with depths: arrays "depth", "K", "rgb", "depth_scale" where they are there.

    Without a depth image it is the first point cloud, as "points". Colours are taken only where
    they are aligned with the depth image.

    path: a .bag, .db3 or .mcap, or the folder of a ROS 2 recording.
    notes: gets the topic, the time, and what was assumed.
    topic: of the depth images or clouds; it may be left out where there is only one.

    Raises CaptureError where there is no such file or topic, or nothing to choose from.
    """
    try:
        with bounded(path), _open(path) as reader:
            decode = _decoder(path.suffix.lower() == ".bag")
            return _first_frame(_Recording(path, reader, decode), notes, topic)
    except CaptureError:
        raise
    except Exception as error:  # rosbags raises whatever its parsers raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        kind = next((file.suffix for file in _files(path) if file.suffix in _CUT_OFF), path.suffix)
        advice = f"; if it was cut off: {_CUT_OFF[kind]}" if kind in _CUT_OFF else ""
        what = f"{path.suffix} recording".strip()
        reason = reason.replace(f"{path}: ", "").replace(str(path), path.name)
        raise CaptureError(f"{path}: not a readable {what} ({reason}){advice}") from error


@dataclass
class _Recording:
    """An open reader of rosbags, and how to read its messages."""

    path: Path
    reader: Any
    decode: Callable[[bytes, str], Any]

    def topics(self, *kinds: str) -> list[str]:
        """Names of topics of these types that have messages."""
        found = self.reader.topics.items()
        return [name for name, at in found if at.msgtype in kinds and at.msgcount]

    def messages(self, topic: str, start: int | None = None) -> Iterator[tuple[int, Any]]:
        """Times in nanoseconds and messages of a topic, in order."""
        connections = [each for each in self.reader.connections if each.topic == topic]
        for connection, time, data in self.reader.messages(connections, start):
            yield time, self.decode(data, connection.msgtype)

    def first(self, topic: str, start: int | None = None) -> tuple[int, Any]:
        """The time and the message that come first, (0, None) where there is none."""
        return next(self.messages(topic, start), (0, None))


def _files(path):
    return sorted(path.iterdir()) if path.is_dir() else [path]


def _open(path):
    """The reader of rosbags for a path."""
    from rosbags import rosbag1, rosbag2

    if path.is_dir() and not (path / "metadata.yaml").is_file():
        raise CaptureError(f"{path}: this folder has no metadata.yaml, expected a ROS 2 recording")
    if not path.exists():
        raise CaptureError(f"{path}: no such recording")
    if not path.is_dir() and not path.stat().st_size:
        raise CaptureError(f"{path}: the file is empty, expected a recording")
    return (rosbag1 if path.suffix.lower() == ".bag" else rosbag2).Reader(path)


@cache
def _decoder(ros1):
    """The function that reads a message of the usual types from its bytes."""
    from rosbags.typesys import Stores, get_typestore

    if ros1:
        return get_typestore(Stores.ROS1_NOETIC).deserialize_ros1
    return get_typestore(Stores.ROS2_HUMBLE).deserialize_cdr


def _first_frame(recording, notes, topic):
    path = recording.path
    if not recording.reader.message_count:
        raise CaptureError(f"{path}: no messages in this recording")
    clouds = recording.topics(_CLOUD)
    depths = [
        name
        for name in recording.topics(*_IMAGES)
        if "infra" not in name.lower() and ros.is_depth(recording.first(name)[1])
    ]
    chosen, twice = (
        [name for name in depths if name == topic],
        {f"{name}/compressedDepth" for name in depths},
    )
    depths = chosen or [name for name in depths if name not in twice]
    wanted = [topic] if topic is not None else depths or clouds
    if topic is not None and topic not in (*depths, *clouds):
        others = " or ".join((*depths, *clouds))
        raise CaptureError(
            f"{path}: the topic {topic} holds no depth images or clouds"
            + (
                f"; expected {others}"
                if others
                else ", nor does any other topic; expected another recording"
            )
        )
    if len(wanted) > 1:
        kind = "depth images" if depths else "point clouds"
        raise CaptureError(
            f"{path}: {len(wanted)} topics hold {kind}: {', '.join(wanted)};"
            " choose one with --topic"
        )
    if not wanted:
        there = [f"{name} ({at.msgtype})" for name, at in recording.reader.topics.items()]
        shown = ", ".join(there[:8]) + ", ..." * (len(there) > 8)
        raise CaptureError(f"{path}: no depth images and no point clouds; found {shown}")
    return (_depth if wanted[0] in depths else _points)(recording, wanted[0], notes)


def _points(recording, topic, notes):
    points, _, _ = _measured(recording, topic, notes, ros.points_of, "point cloud")
    return {"points": points}


def _depth(recording, topic, notes):
    depth, time, message = _measured(recording, topic, notes, ros.depth_of, "depth image")
    frame, found = message.header.frame_id, {"depth": depth}
    if (info := _camera_info(recording, topic, depth.shape, frame)) is not None:
        K = ros.matrix_of(info, rectified="rect" in topic)
        found["K"] = np.asarray(K, float)
        if np.abs(ros.distortion_of(info)).max(initial=0) > 1e-6 and "rect" not in topic:
            notes.append("the lens distortion in its camera_info is not corrected")
    else:
        cameras = ", ".join(recording.topics(_CAMERA)) or "none"
        notes.append(f"no camera_info belongs to {topic} (found: {cameras})")
    colours = _colours(recording, depth.shape, frame, time)
    units = [name for name in recording.reader.topics if name.endswith("/Depth_Units/value")]
    if units and depth.dtype.kind == "u":
        found["depth_scale"] = np.array(float(recording.first(units[0])[1].data))
    return found if colours is None else {**found, "rgb": colours}


def _measured(recording, topic, notes, read, what):
    """Values, time and message of the first message of a topic in which anything was measured."""
    number = 0
    for time, message in itertools.islice(recording.messages(topic), _MOST_FRAMES):
        number, values = number + 1, read(message)
        if (np.isfinite(values) & (values != 0)).any():
            seconds = (time - recording.reader.start_time) / 1e9
            notes.append(f"the {what} is number {number} of the topic {topic}, at {seconds:.2f} s")
            return values, time, message
    raise CaptureError(
        f"{recording.path}: nothing was measured in the first {number} messages of {topic}"
    )


def _camera_info(recording, topic, shape, frame):
    """The CameraInfo of a depth topic: of its size, and in its namespace or of its frame."""
    folders = topic.removesuffix("/compressedDepth").split("/")[:-1]
    found = []
    for name in recording.topics(_CAMERA):
        _, info = recording.first(name)
        own = name.split("/")[:-1]
        near = own == folders or [*folders[:-1], "info"] == own
        if (info.height, info.width) == shape and (near or info.header.frame_id == frame):
            common = sum(a == b for a, b in zip(own, folders, strict=False))
            found.append((near, common, name, info))
    return max(found, key=lambda each: each[:3])[3] if found else None


def _colours(recording, shape, frame, time):
    """Colours (H, W, 3) of about the same time, size and frame as a depth image, or None."""
    for name in recording.topics(*_IMAGES):
        if "depth" in name.lower():
            continue
        _, message = recording.first(name, time - _SAME_TIME)
        if message is None or message.header.frame_id != frame or not ros.is_colour(message):
            continue
        colours = ros.colours_of(message)
        if colours.shape[:2] == shape:
            return colours
    return None
