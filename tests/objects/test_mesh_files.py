import random
import struct

import numpy as np
import pytest
import trimesh

from graspbook.errors import MeshError
from graspbook.objects.mesh import load_mesh, notes_of
from graspbook.objects.mesh_files import has_faces

BOX = trimesh.creation.box([0.04, 0.05, 0.06])


def stl_bytes(count=12, extra=b""):
    data = BOX.export(file_type="stl")
    return data[:80] + struct.pack("<I", count) + data[84:] + extra


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (stl_bytes(extra=b"color=\0\1\2"), "9 bytes after its 12 faces are ignored"),
        (stl_bytes(count=0), "its header says 0 faces, but its size fits 12, so 12 are read"),
        (stl_bytes(count=7), "its header says 7 faces, but its size fits 12, so 12 are read"),
        (
            stl_bytes(count=4_000_000_000),
            "its header says 4000000000 faces, but its size fits 12, so 12 are read",
        ),
    ],
)
def test_a_binary_stl_is_counted_from_its_size(tmp_path, data, note):
    (tmp_path / "box.stl").write_bytes(data)
    mesh = load_mesh(tmp_path / "box.stl")
    assert mesh.is_volume and mesh.volume == pytest.approx(BOX.volume, rel=1e-5)
    assert note in notes_of(mesh)[0]


def test_a_stl_that_is_cut_off_is_refused(tmp_path):
    (tmp_path / "box.stl").write_bytes(stl_bytes()[:-20])
    with pytest.raises(MeshError, match="664 bytes, expected 684 for a binary .stl with 12 faces"):
        load_mesh(tmp_path / "box.stl")


def test_a_long_ply_header_has_its_faces(tmp_path):
    data = BOX.export(file_type="ply", encoding="ascii")
    head, line, rest = data.partition(b"element vertex")
    long = head + b"comment TextureFile %s\n" % (b"x" * 300) * 30 + line + rest
    (tmp_path / "box.ply").write_bytes(head + long[len(head) :].replace(b"ply\n", b""))
    (tmp_path / "cloud.ply").write_bytes(
        b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\n"
        b"property float z\nelement face 0\nproperty list uchar int vertex_indices\nend_header\n"
        b"0 0 1\n"
    )
    assert has_faces(tmp_path / "box.ply") and not has_faces(tmp_path / "cloud.ply")
    assert not has_faces(tmp_path / "none.ply")


@pytest.mark.parametrize("suffix", ["gltf", "off"])
def test_gltf_with_buffers_and_off_are_read(tmp_path, suffix):
    if suffix == "gltf":
        for name, data in trimesh.exchange.gltf.export_gltf(trimesh.Scene(BOX)).items():
            (tmp_path / name.replace("model", "box")).write_bytes(data)
    else:
        BOX.export(tmp_path / "box.off")
    mesh = load_mesh(tmp_path / f"box.{suffix}")
    assert mesh.is_volume and mesh.volume == pytest.approx(BOX.volume, rel=1e-5)


def test_a_gltf_without_its_buffer_is_refused_by_name(tmp_path):
    files = trimesh.exchange.gltf.export_gltf(trimesh.Scene(BOX))
    (tmp_path / "box.gltf").write_bytes(files["model.gltf"])
    with pytest.raises(MeshError, match="box.gltf: not a readable .gltf mesh"):
        load_mesh(tmp_path / "box.gltf")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.drc", b"DRACO\x02\x02" + bytes(100)),
        ("a.gltf", b'{"extensionsRequired": ["KHR_draco_mesh_compression"]}'),
        ("a.glb", b'glTF....{"extensionsUsed":["KHR_draco_mesh_compression"]}'),
    ],
)
def test_draco_is_told_how_to_decompress(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MeshError, match="compressed by Draco.*decompress it first"):
        load_mesh(tmp_path / name)


DAE = """<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema"><library_geometries>
<geometry id="g"><mesh><source id="s"><float_array id="f">{vertices}</float_array></source>
<vertices id="v"><input semantic="POSITION" source="#s"/></vertices><triangles>
<input semantic="VERTEX" source="#v" offset="0"/><p>{faces}</p></triangles></mesh></geometry>
</library_geometries></COLLADA>"""
STRIPS = """ply
format ascii 1.0
element vertex {n}
property float x
property float y
property float z
element tristrips 1
property list int int vertex_indices
end_header
{vertices}
{strip}"""


def samples():
    """Whole files of every kind, by suffix."""
    found = {suffix: BOX.export(file_type=suffix) for suffix in ("stl", "ply", "glb", "obj", "off")}
    found = {
        name: data if isinstance(data, bytes) else data.encode() for name, data in found.items()
    }
    vertices, faces = " ".join(map(str, BOX.vertices.ravel())), BOX.faces
    found["dae"] = DAE.format(vertices=vertices, faces=" ".join(map(str, faces.ravel()))).encode()
    strip = " ".join(f"{a} {b} {c} -1" for a, b, c in faces)
    body = STRIPS.format(n=8, vertices=vertices, strip=f"48 {strip}").encode()
    found["strips.ply"] = body
    found["urdf"] = (
        b'<robot name="a"><link name="b"><visual><geometry><box size=".1 .1 .1"/></geometry>\
</visual></link></robot>'
    )
    return found


@pytest.mark.parametrize("kind", list(samples()))
def test_broken_files_are_read_or_refused_in_one_line(tmp_path, kind):
    whole, draw = samples()[kind], random.Random(0)
    path = tmp_path / f"a.{kind}"
    path.write_bytes(whole)
    assert load_mesh(path).is_volume
    for trial in range(40):
        data = bytearray(whole)
        if trial % 2:
            del data[draw.randrange(len(data)) :]
        for _ in range(draw.randrange(1, 5)):
            if data:
                data[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes(data)
        try:
            mesh = load_mesh(path)
        except MeshError as error:
            assert str(path) in str(error) and "\n" not in str(error)
        else:
            assert np.isfinite(mesh.vertices).all() and len(mesh.faces)


def test_the_stl_with_trailing_bytes_and_the_old_ply_are_read(real_data):
    mesh = load_mesh(real_data / "inputs" / "trailing_bytes.stl")
    assert mesh.is_volume and "37 bytes after its 12 faces" in notes_of(mesh)[0]
    assert load_mesh(real_data / "inputs" / "tristrips.ply").is_volume
    with pytest.raises(MeshError, match="joint '0' is revolute"):
        load_mesh(real_data / "inputs" / "leap_hand_right.urdf")
