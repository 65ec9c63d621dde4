"""Every reader takes broken bytes: an error of the family in one line, or what can still be read.

No traceback, no hang, no gigabytes. Files are cut off, bytes and numbers are changed, and headers
claim a billion things.
"""

import io
import json
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import trimesh
import yaml

from graspbook.errors import GraspbookError
from graspbook.grasp_files import Grasps, read_grasps, write_grasps
from graspbook.graspnet.baselines.gpd_network import read_candidates
from graspbook.highdof.plans import HandGrasps, read_plan, write_plan
from graspbook.highdof.reports import summarise
from graspbook.objects.mesh_files import read_mesh
from graspbook.perception.camera_info import read_camera
from graspbook.perception.capture import load_capture
from graspbook.perception.hand_eye import read_hand_eye_noted
from graspbook.robots.trial_records import read_records
from graspbook.weights_files import load_history, load_weights, write_tensors
from graspbook.workbook.params import load_profile

VARIANTS = 24  # of each file
LONGEST = 5.0  # seconds for one file
BOX = trimesh.creation.box([0.04, 0.05, 0.06])
CLOUD = np.random.default_rng(0).uniform(-0.03, 0.03, (200, 3)) + [0, 0, 0.5]
K = np.array([[60.0, 0, 16], [0, 60, 12], [0, 0, 1]])
DEPTH = np.full((24, 32), 600, np.uint16)
DEPTH[8:16, 8:20] = 500
INFO = {"width": 32, "height": 24, "K": K.ravel().tolist(), "D": [0.0] * 5}
PCD = "VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nWIDTH 200\nHEIGHT 1\nPOINTS 200\n"
POSE = {"rotation": {"w": 1, "x": 0, "y": 0, "z": 0}, "translation": {"x": 0.05, "y": 0, "z": 0.06}}


def saved(save, *values, **more):
    """What a function writes to a stream."""
    stream = io.BytesIO()
    save(stream, *values, **more)
    return stream.getvalue()


def mesh_bytes(kind):
    data = BOX.export(file_type=kind)
    return data if isinstance(data, bytes) else data.encode()


def written(write, suffix, tmp_path):
    """What a function writes to a file."""
    path = tmp_path / f"written{suffix}"
    write(path)
    return path.read_bytes()


def grasps(path):
    write_grasps(path, Grasps(np.eye(4)[None].repeat(3, 0), np.array([True, False, True])))


def plan(path):
    each, few = np.ones(2), np.ones((3, 2))
    parts = {"states": np.ones((2, 9)), "closed": few[:2], "energies": each, "epsilon": each}
    parts |= {"iterations": np.arange(3), "history": few, "com": np.zeros(3)}
    write_plan(path, HandGrasps("franka", ("a", "b"), **parts, length=0.1, evaluations=3.0))


def weights(path):
    write_tensors(path, {"w": torch.ones(3)}, {"parameters": {"a": 1}, "history": []})


def candidates(path):
    images = np.zeros((2, 15, 6, 6), np.uint8)
    np.savez(path, parameters=json.dumps({}), images=images, success=np.ones(2, bool))


CAMERA = yaml.safe_dump(INFO).encode()
REPORT = {
    "planner": {"best_of_5": 0.1, "grasps": 5},
    "hand": "shadow",
    "object": "box.stl",
    "parameters": {"seed": 0},
    "rotations": [{"epsilon": 0.1, "penetration_adjusted": 0.0, "penetration_max": 0.0}],
    "epsilon": 0.1,
    "held": True,
}
READERS = {
    **{
        f"mesh{s}": (read_mesh, s, mesh_bytes(s[1:]))
        for s in (".obj", ".stl", ".ply", ".glb", ".off")
    },
    "mesh.dae": (
        read_mesh,
        ".dae",
        (Path(__file__).parent / "objects/test_collada.py").read_bytes(),
    ),
    "mesh.urdf": (
        read_mesh,
        ".urdf",
        b'<robot><link name="a"><visual><geometry><box size="0.1 0.1 0.1"/></geometry></visual>'
        b"</link></robot>",
    ),
    "cloud.ply": (load_capture, ".ply", trimesh.PointCloud(CLOUD).export(file_type="ply")),
    "cloud.pcd": (
        load_capture,
        ".pcd",
        f"{PCD}DATA binary\n".encode() + CLOUD.astype(np.float32).tobytes(),
    ),
    "cloud.npy": (load_capture, ".npy", saved(np.save, CLOUD)),
    "cloud.xyz": (load_capture, ".xyz", saved(np.savetxt, CLOUD)),
    "capture.npz": (load_capture, ".npz", saved(np.savez_compressed, depth=DEPTH, K=K)),
    **{f"camera{s}": (read_camera, s, CAMERA) for s in (".yaml", ".txt")},
    "camera.json": (read_camera, ".json", json.dumps(INFO).encode()),
    "camera.npy": (read_camera, ".npy", saved(np.save, K)),
    "hand_eye.json": (read_hand_eye_noted, ".json", json.dumps(POSE).encode()),
    "hand_eye.yaml": (
        read_hand_eye_noted,
        ".yaml",
        yaml.safe_dump({"transformation": POSE}).encode(),
    ),
    **{f"grasps{s}": (read_grasps, s, grasps) for s in (".h5", ".json", ".yaml")},
    "plan.h5": (read_plan, ".h5", plan),
    "weights.safetensors": (load_weights, ".safetensors", weights),
    "history.safetensors": (load_history, ".safetensors", weights),
    "candidates.npz": (read_candidates, ".npz", candidates),
    "profile.yaml": (load_profile, ".yaml", b"shared:\n  seed: 3\n  workers: 2\n"),
    "records.jsonl": (read_records, ".jsonl", b'{"object": "mug", "pose": 1}\n{"times": {}}\n'),
    "report.json": (lambda path: summarise([path]), ".json", json.dumps(REPORT).encode()),
}


def variants(whole, seed):
    """Broken versions of some bytes."""
    rng = np.random.default_rng(seed)
    yield from (
        b"",
        b"\0" * 64,
        b"\xff" * 999,
        b"[" * 10_000,
        b"[" * 10_000 + b"\n",
        b"{}",
        b"[1, null]",
        b"a: &a [*a]",
    )
    for i in range(VARIANTS):
        data = bytearray(whole)
        if i % 3 == 0:
            del data[int(rng.integers(len(data))) :]
        elif i % 3 == 1:
            for place in rng.integers(len(data), size=int(rng.integers(1, 12))):
                data[place] = rng.integers(256)
        else:  # numbers and lengths that are far off
            place = int(rng.integers(len(data)))
            data[place : place + 4] = (b"\xff\xff\xff\x7f", b"999999999999", b"nan ")[i % 9 // 3]
        yield bytes(data)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
def test_broken_files(name, tmp_path, capfd):
    read, suffix, whole = READERS[name]
    if callable(whole):
        whole = written(whole, suffix, tmp_path)
    path, slowest = tmp_path / f"broken{suffix}", 0.0
    for data in variants(whole, seed=len(name)):
        path.write_bytes(data)
        began = time.monotonic()
        try:
            read(path)
        except GraspbookError as error:
            assert str(error) and "\n" not in str(error), str(error)
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < LONGEST


def test_headers_that_claim_a_billion_things_reserve_nothing(tmp_path):
    """One that is too large to be true is refused before memory is taken for it."""
    with h5py.File(tmp_path / "plan.h5", "w") as file:
        for name in ("states", "closed", "energies", "epsilon", "iterations", "history", "com"):
            file.create_dataset(name, shape=(10**9, 3), dtype="f8", chunks=(1024, 3))
    header = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 3)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(tmp_path / "K.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("other.npy", header.getvalue() + bytes(10**6))
        archive.writestr("K.npy", saved(np.save, K))
    np.testing.assert_array_equal(read_camera(tmp_path / "K.npz").K, K)
    ply = b"ply\nformat binary_little_endian 1.0\nelement vertex 1000000000\n"
    ply += b"property float x\nproperty float y\nproperty float z\nend_header\n"
    claims = {
        "claims.npy": (read_camera, header.getvalue()),
        "claims.ply": (load_capture, ply + bytes(1200)),
        "claims.stl": (read_mesh, bytes(80) + b"\xff\xff\xff\x7f" + bytes(70)),
    }
    for name, (read, data) in (claims | {"plan.h5": (read_plan, b"")}).items():
        if data:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(GraspbookError):
            read(tmp_path / name)
