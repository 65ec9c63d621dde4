import numpy as np
import pytest
import trimesh

from graspbook.errors import MeshError
from graspbook.objects.mesh import load_mesh

BOX = trimesh.creation.box([4, 5, 6])
QUADS = "4 0 1 3 2 4 4 6 7 5 4 0 4 5 1 4 2 3 7 6 4 0 2 6 4 4 1 5 7 3"
FILE = """<?xml version="1.0"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
<asset><unit name="centimeter" meter="0.01"/><up_axis>Z_UP</up_axis></asset>
<library_geometries><geometry id="g"><mesh>
<source id="p"><float_array id="pa" count="24">{vertices}</float_array><technique_common>
<accessor source="#pa" count="8" stride="3"/></technique_common></source>
<source id="n"><float_array id="na" count="3">0 0 1</float_array></source>
<vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
{faces}
</mesh></geometry></library_geometries>
<library_visual_scenes><visual_scene id="s"><node id="a">
<translate>0 0 10</translate><rotate>0 0 1 90</rotate><scale>1 2 1</scale>
<node><instance_geometry url="#g"/></node></node></visual_scene>
</library_visual_scenes></COLLADA>"""


def corners(faces):
    """Indices of vertices and normals, as exporters write them."""
    return " ".join(f"{i} 0" for i in np.ravel(faces))


INPUTS = """<input semantic="VERTEX" source="#v" offset="0"/>
<input semantic="NORMAL" source="#n" offset="1"/>"""
QUAD_LIST = np.array(QUADS.split(), int).reshape(-1, 5)[:, 1:]
KINDS = {
    "triangles": f"<triangles>{INPUTS}<p>{corners(BOX.faces)}</p></triangles>",
    "polylist": f"<polylist>{INPUTS}<vcount>4 4 4 4 4 4</vcount>"
    f"<p>{corners(QUAD_LIST)}</p></polylist>",
    "polygons": f"<polygons>{INPUTS}"
    + "".join(f"<p>{corners(q)}</p>" for q in QUAD_LIST)
    + "</polygons>",
    "tristrips": f"<tristrips>{INPUTS}"
    + "".join(f"<p>{corners(q[[0, 1, 3, 2]])}</p>" for q in QUAD_LIST)
    + "</tristrips>",
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_faces_of_every_kind_are_placed_and_scaled_to_metres(tmp_path, kind):
    vertices = " ".join(map(str, BOX.vertices.ravel()))
    (tmp_path / "box.dae").write_text(FILE.format(vertices=vertices, faces=KINDS[kind]))
    mesh = load_mesh(tmp_path / "box.dae")
    assert mesh.is_volume and mesh.volume == pytest.approx(2 * 120e-6)
    np.testing.assert_allclose(mesh.extents, [0.1, 0.04, 0.06])
    np.testing.assert_allclose(mesh.bounds.mean(axis=0), [0, 0, 0.1], atol=1e-12)


def test_a_scene_without_faces_is_refused(tmp_path):
    (tmp_path / "none.dae").write_text("<COLLADA><library_geometries/></COLLADA>")
    with pytest.raises(MeshError, match="none.dae: the mesh is empty"):
        load_mesh(tmp_path / "none.dae")


def test_a_node_that_holds_itself_ends(tmp_path):
    text = (
        '<COLLADA><library_visual_scenes><visual_scene><node id="a"><instance_node url="#a"/>'
        "</node></visual_scene></library_visual_scenes></COLLADA>"
    )
    (tmp_path / "loop.dae").write_text(text)
    with pytest.raises(MeshError, match="empty"):
        load_mesh(tmp_path / "loop.dae")
