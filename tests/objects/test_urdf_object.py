import numpy as np
import pytest
import trimesh

from graspbook.errors import MeshError
from graspbook.objects.mesh import load_mesh, notes_of

URDF = """<robot name="thing"><link name="base">{base}</link><link name="top"><visual>
<origin xyz="0 0 0.01" rpy="0 0 0"/><geometry><box size="0.02 0.02 0.02"/></geometry></visual>
</link><joint name="j" type="{joint}"><parent link="base"/><child link="top"/>
<origin xyz="0 0 0.06" rpy="0 0 1.5707963267948966"/></joint></robot>"""
MESH = (
    """<{kind}><geometry><mesh filename="{name}" scale="0.001 0.001 0.001"/></geometry></{kind}>"""
)


@pytest.fixture
def write(tmp_path):
    """Write a URDF beside a folder of meshes, and return its path."""
    (tmp_path / "thing" / "meshes").mkdir(parents=True)
    (tmp_path / "thing" / "urdf").mkdir()
    trimesh.creation.box([40, 50, 60]).export(tmp_path / "thing" / "meshes" / "box.stl")

    def put(name="../meshes/box.stl", joint="fixed", kind="visual"):
        path = tmp_path / "thing" / "urdf" / "thing.urdf"
        path.write_text(URDF.format(base=MESH.format(kind=kind, name=name), joint=joint))
        return path

    return put


@pytest.mark.parametrize(
    "name", ["../meshes/box.stl", "meshes/box.stl", "package://thing/meshes/box.stl"]
)
def test_links_are_put_together_with_scales_and_fixed_joints(write, name):
    mesh = load_mesh(write(name))
    np.testing.assert_allclose(
        mesh.bounds, [[-0.02, -0.025, -0.03], [0.02, 0.025, 0.08]], atol=1e-6
    )
    assert "the visual surface" in notes_of(mesh)[0]


def test_what_is_not_one_object_is_refused(write):
    with pytest.raises(MeshError, match="thing.urdf: joint 'j' is revolute, expected only fixed"):
        load_mesh(write(joint="revolute"))
    with pytest.raises(MeshError, match="its mesh 'none.stl' is not in"):
        load_mesh(write("none.stl"))


def test_collision_surfaces_stand_in_where_nothing_is_visual(write):
    path = write(kind="collision")
    path.write_text(path.read_text().replace("visual>", "collision>"))
    assert "the collision surface" in notes_of(load_mesh(path))[0]


def test_a_urdf_without_geometry_is_refused(tmp_path):
    (tmp_path / "a.urdf").write_text('<robot name="a"><link name="b"/></robot>')
    with pytest.raises(MeshError, match="no link has a visual or a collision geometry"):
        load_mesh(tmp_path / "a.urdf")
