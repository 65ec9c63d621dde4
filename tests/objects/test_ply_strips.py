import struct

import numpy as np
import pytest
import trimesh

from graspbook.errors import MeshError
from graspbook.objects.mesh import load_mesh

BOX = trimesh.creation.box([0.04, 0.05, 0.06])
# Two strips of quads of two triangles, and the rest as strips of one triangle.
STRIP = [i for face in BOX.faces for i in (*face, -1)]
HEAD = """ply
format {format} 1.0
comment made up
element {first} 8
property float x
property float y
property float z
property uchar red
element tristrips 1
property list int int vertex_indices
end_header
"""


def write(path, form, first="vertex"):
    head = HEAD.format(format=form, first=first).encode()
    if form == "ascii":
        lines = [f"{x} {y} {z} 7" for x, y, z in BOX.vertices]
        body = "\n".join([*lines, " ".join(map(str, [len(STRIP), *STRIP]))]).encode()
    else:
        order = "<" if "little" in form else ">"
        body = b"".join(struct.pack(f"{order}fffB", *point, 7) for point in BOX.vertices)
        body += struct.pack(f"{order}{1 + len(STRIP)}i", len(STRIP), *STRIP)
    path.write_bytes(head + body)
    return path


@pytest.mark.parametrize("form", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_strips_of_every_encoding_give_the_box(tmp_path, form):
    mesh = load_mesh(write(tmp_path / "box.ply", form))
    assert mesh.is_volume and mesh.volume == pytest.approx(BOX.volume, rel=1e-5)


def test_every_second_triangle_of_a_strip_is_turned(tmp_path):
    text = HEAD.format(format="ascii", first="vertex").replace("vertex 8", "vertex 4")
    (tmp_path / "a.ply").write_text(text + "0 0 0 1 .1 0 0 1 0 .1 0 1 .1 .1 .01 1 4 0 1 2 3")
    mesh = load_mesh(tmp_path / "a.ply")
    normals = mesh.face_normals
    assert len(normals) >= 2 and np.isfinite(normals).all()


def test_other_elements_are_refused(tmp_path):
    with pytest.raises(MeshError, match="elements camera, tristrips; expected only vertex"):
        load_mesh(write(tmp_path / "box.ply", "ascii", first="camera"))
