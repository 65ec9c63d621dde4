"""Recordings, written here with rosbags' own writers."""

import io
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from PIL import Image
from rosbags import rosbag1, rosbag2
from rosbags.typesys import Stores, get_typestore

from graspbook.errors import CaptureError
from graspbook.perception.capture import load_capture
from graspbook.perception.recordings import is_recording, read_recording

HEIGHT, WIDTH, FOCAL = 48, 64, 60.0
K = np.array([[FOCAL, 0, 31.5], [0, FOCAL, 23.5], [0, 0, 1]])
DEPTH = np.full((HEIGHT, WIDTH), 500, np.uint16)
DEPTH[:4] = 0
DEPTH[20:32, 26:38] = 400  # a box on a table
RGB = np.dstack([np.full_like(DEPTH, 200), *np.mgrid[:HEIGHT, :WIDTH]]).astype(np.uint8)
KINDS = ("ros1.bag", "sqlite", "sqlite/sqlite.db3", "mcap/mcap.mcap", "mcap")


@cache
def types(ros1):
    return get_typestore(Stores.ROS1_NOETIC if ros1 else Stores.ROS2_HUMBLE)


def write(folder, name, *messages, mode=""):
    """The path of a recording of (topic, message maker) pairs, 1/30 s apart.

    mode: of rosbag2.CompressionMode.
    """
    path, first = folder / name, name.split("/")[0]
    ros1 = first.endswith(".bag")
    store = types(ros1)
    if ros1:
        writer = rosbag1.Writer(path)
        writer.set_compression(rosbag1.Writer.CompressionFormat.LZ4)
    else:
        plugin = rosbag2.StoragePlugin.MCAP if "mcap" in first else rosbag2.StoragePlugin.SQLITE3
        writer = rosbag2.Writer(folder / first, version=8, storage_plugin=plugin)
        if mode:
            form = rosbag2.CompressionFormat.ZSTD
            writer.set_compression(rosbag2.CompressionMode[mode], form)
    with writer:
        added = {}
        for number, (topic, make) in enumerate(messages):
            message = make(store, ros1)
            kind = message.__msgtype__
            if topic not in added:
                added[topic] = writer.add_connection(topic, kind, typestore=store)
            code = store.serialize_ros1 if ros1 else store.serialize_cdr
            writer.write(added[topic], 10**9 + number * 33_000_000, code(message, kind))
    return path


def header(store, ros1, frame="camera"):
    stamp = store.types["builtin_interfaces/msg/Time"](sec=1, nanosec=0)
    extra = {"seq": 0} if ros1 else {}
    return store.types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame, **extra)


def image(pixels, encoding, pad=0, frame="camera"):
    def make(store, ros1):
        rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1)
        rows = np.pad(rows, ((0, 0), (0, pad)))
        return store.types["sensor_msgs/msg/Image"](
            header=header(store, ros1, frame),
            height=pixels.shape[0],
            width=pixels.shape[1],
            encoding=encoding,
            is_bigendian=0,
            step=rows.shape[1],
            data=rows.ravel(),
        )

    return make


def compressed(data, form, frame="camera"):
    def make(store, ros1):
        return store.types["sensor_msgs/msg/CompressedImage"](
            header=header(store, ros1, frame), format=form, data=np.frombuffer(data, np.uint8)
        )

    return make


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


def camera_info(size=(WIDTH, HEIGHT), frame="camera", d=0.0, matrix=K):
    def make(store, ros1):
        roi = store.types["sensor_msgs/msg/RegionOfInterest"]
        values = {
            "d": np.full(5, d),
            "k": matrix.ravel(),
            "r": np.eye(3).ravel(),
            "p": np.hstack([matrix, np.zeros((3, 1))]).ravel(),
        }
        return store.types["sensor_msgs/msg/CameraInfo"](
            header=header(store, ros1, frame),
            width=size[0],
            height=size[1],
            distortion_model="plumb_bob",
            binning_x=0,
            binning_y=0,
            roi=roi(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False),
            **{name.upper() if ros1 else name: value for name, value in values.items()},
        )

    return make


def cloud(points, height=1, fields="xyz"):
    def make(store, ros1):
        field = store.types["sensor_msgs/msg/PointField"]
        data = np.zeros((len(points), 5), np.float32)  # two floats of padding
        data[:, :3] = points
        return store.types["sensor_msgs/msg/PointCloud2"](
            header=header(store, ros1),
            height=height,
            width=len(points) // height,
            fields=[field(name=n, offset=4 * i, datatype=7, count=1) for i, n in enumerate(fields)],
            is_bigendian=False,
            point_step=20,
            row_step=20 * len(points) // height,
            data=data.view(np.uint8).ravel(),
            is_dense=False,
        )

    return make


def text(value):
    return lambda store, ros1: store.types["std_msgs/msg/String"](data=value)


BOTH = (("/depth/image_raw", image(DEPTH, "16UC1")), ("/depth/camera_info", camera_info()))


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_frame_with_depths_is_read(tmp_path, kind):
    messages = [
        ("/chatter", text("hello")),
        ("/depth/image_raw", image(np.zeros_like(DEPTH), "16UC1")),
        ("/depth/image_raw", image(DEPTH, "16UC1", pad=6)),
        ("/depth/camera_info", camera_info()),
        ("/color/camera_info", camera_info((99, 99), "other")),
        ("/color/image_raw", image(RGB[..., ::-1], "bgr8")),
    ]
    path, notes = write(tmp_path, kind, *messages), []
    found = read_recording(path, notes)
    np.testing.assert_array_equal(found["depth"], DEPTH)
    np.testing.assert_array_equal(found["K"], K)
    np.testing.assert_array_equal(found["rgb"], RGB)
    assert notes == ["the depth image is number 2 of the topic /depth/image_raw, at 0.07 s"]


FLOATS = np.where(DEPTH > 0, DEPTH / np.float32(1000), np.float32(np.nan))
QUANTISED = np.where(DEPTH > 0, 750 / FLOATS + 500, 0).astype(np.uint16)
RANGE = bytes(4) + np.array([750, 500], "<f4").tobytes()


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        ("/depth/image_raw", image(FLOATS, "32FC1")),
        ("/depth/image_raw", image(DEPTH, "mono16")),
        (
            "/depth/image_raw/compressedDepth",
            compressed(bytes(12) + png(DEPTH), "16UC1; compressedDepth png"),
        ),
        (
            "/depth/image_raw/compressedDepth",
            compressed(RANGE + png(QUANTISED), "32FC1; compressedDepth"),
        ),
    ],
)
def test_encodings_of_depth(tmp_path, topic, message):
    path = write(tmp_path, "r.bag", (topic, message), ("/depth/camera_info", camera_info()))
    assert_a_box(load_capture(path))


def assert_a_box(capture):
    np.testing.assert_allclose(capture.scene[:, 2], DEPTH[DEPTH > 0] / 1000, atol=1e-3)
    assert len(capture.points) == 144


def test_a_realsense_bag(tmp_path):
    """Its units are an option, its camera_info is in a folder "info", infrared is not depth."""

    def units(store, ros1):
        return store.types["std_msgs/msg/Float32"](data=0.0001)

    sensor = "/device_0/sensor_0"
    path = write(
        tmp_path,
        "realsense.bag",
        (f"{sensor}/Depth_0/image/data", image(DEPTH * 10, "mono16", frame="0")),
        (f"{sensor}/Infrared_1/image/data", image(DEPTH, "mono16", frame="0")),
        (f"{sensor}/Depth_0/info/camera_info", camera_info(frame="0")),
        (f"{sensor}/option/Depth_Units/value", units),
    )
    assert_a_box(load_capture(path))


def test_several_topics_are_listed_and_one_is_chosen(tmp_path):
    aligned = "/camera/aligned_depth_to_color"
    path = write(
        tmp_path,
        "two",
        *BOTH,
        ("/depth/image_raw/compressedDepth", compressed(bytes(12) + png(DEPTH), "compressedDepth")),
        (f"{aligned}/image_raw", image(DEPTH + 100, "16UC1", frame="colour")),
        (f"{aligned}/camera_info", camera_info(frame="colour", matrix=K + 1)),
    )
    with pytest.raises(CaptureError, match=r"2 topics hold depth .*/depth/image_raw.*--topic"):
        load_capture(path)
    found = read_recording(path, [], f"{aligned}/image_raw")
    assert found["depth"].max() == 600 and found["K"][0, 0] == FOCAL + 1
    found = read_recording(path, [], "/depth/image_raw/compressedDepth")
    assert (found["depth"] == DEPTH).all() and found["K"][0, 0] == FOCAL
    with pytest.raises(CaptureError, match="the topic /colour holds no depth images or clouds"):
        load_capture(path, topic="/colour")


def test_clouds(tmp_path):
    points = np.random.default_rng(0).uniform(-0.05, 0.05, (60, 3)) + [0, 0, 0.6]
    points[7] = np.nan
    path = write(tmp_path, "cloud.bag", ("/points", cloud(points, height=6)))
    capture = load_capture(path)
    np.testing.assert_allclose(capture.points, np.delete(points, 7, axis=0), atol=1e-6)
    assert "the point cloud is number 1 of the topic /points, at 0.00 s" in capture.notes


def test_a_camera_file_in_place_of_camera_info(tmp_path):
    path = write(tmp_path, "bare.bag", BOTH[0], ("/rgb/camera_info", camera_info((9, 9))))
    with pytest.raises(CaptureError, match=r"no camera_info belongs to /depth/image_raw .*/rgb/ca"):
        load_capture(path)
    np.savetxt(tmp_path / "K.txt", K)
    assert_a_box(load_capture(path, camera=tmp_path / "K.txt"))


def test_what_is_not_aligned_or_not_corrected(tmp_path):
    path, notes = (
        write(
            tmp_path,
            "off.bag",
            BOTH[0],
            ("/depth/camera_info", camera_info(d=0.1)),
            ("/color/image_raw", image(RGB, "rgb8", frame="elsewhere")),
        ),
        [],
    )
    assert "rgb" not in read_recording(path, notes)
    assert notes[-1] == "the lens distortion in its camera_info is not corrected"


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ((), "no messages"),
        ([("/chatter", text("hello"))], "no depth images and no point clouds; found /chatter"),
        (
            [("/depth", image(np.zeros_like(DEPTH), "16UC1"))],
            "nothing was measured in the first 1 messages of /depth",
        ),
        (
            [("/depth", compressed(b"rvl bytes", "16UC1; compressedDepth rvl"))],
            "'16UC1; compressedDepth rvl', expected PNG",
        ),
        ([("/points", cloud(np.ones((20, 3)), fields="uv"))], "fields u, v, expected x, y and z"),
        ([("/points", cloud(np.full((20, 3), np.nan)))], "nothing was measured"),
    ],
)
@pytest.mark.parametrize("kind", ["r.bag", "r", "mcap/mcap.mcap"])
def test_nothing_to_read(tmp_path, kind, messages, reason):
    with pytest.raises(CaptureError, match=reason):
        load_capture(write(tmp_path, kind, *messages))


@pytest.mark.parametrize("kind", ["r.bag", "r/r.db3", "mcap/mcap.mcap"])
def test_broken_files(tmp_path, kind):
    """Cut off anywhere, or with bytes changed: one line, or what is left is read."""
    path = write(tmp_path, kind, *BOTH)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    broken = [b"", b"no recording at all", *(whole[: len(whole) * i // 9] for i in range(1, 9))]
    for _ in range(20):
        data = np.frombuffer(whole, np.uint8).copy()
        data[rng.integers(len(data), size=20)] = rng.integers(256, size=20)
        broken.append(data.tobytes())
    refused = 0
    for data in broken:
        path.write_bytes(data)
        try:
            load_capture(path)
        except CaptureError as error:
            refused += 1
            assert str(error).startswith(str(path)) and "\n" not in str(error)
    assert refused > 9


def test_a_folder_without_metadata(tmp_path):
    assert not is_recording(tmp_path)
    with pytest.raises(CaptureError, match=r"unknown kind of capture|no such"):
        load_capture(tmp_path)
    (tmp_path / "metadata.yaml").write_text("rosbag2_bagfile_information: 3")
    with pytest.raises(CaptureError, match="not a readable .*recording"):
        load_capture(tmp_path)
    with pytest.raises(CaptureError, match="no such recording"):
        load_capture(tmp_path / "none.mcap")
    with pytest.raises(CaptureError, match=r"--topic /x is for recordings"):
        load_capture(tmp_path / "a.npz", topic="/x")


def test_rosbags_is_loaded_for_recordings_alone():
    code = (
        "import sys, graspbook.perception.inputs, graspbook.robots.camera\n"
        "print([n for n in sys.modules if n.split('.')[0] in ('rosbags', 'apsw', 'ruamel')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
