import pytest
import trimesh

from graspbook.objects import GraspObject

PARTS = (
    trimesh.creation.box(bounds=[[0, 0, 0], [0.02, 0.02, 0.02]]),
    trimesh.creation.box(bounds=[[0.02, 0, 0], [0.08, 0.02, 0.02]]),
)


def test_a_closed_mesh_gives_volume_and_extent():
    thing = GraspObject(
        "block", "test", trimesh.creation.box(bounds=[[0, 0, 0], [0.08, 0.02, 0.01]]), PARTS
    )
    assert thing.volume == pytest.approx(1.6e-5)
    assert thing.extent == pytest.approx(0.08)


def test_the_parts_give_the_volume_where_the_mesh_is_open():
    box = trimesh.creation.box(bounds=[[0, 0, 0], [0.08, 0.02, 0.02]])
    thing = GraspObject(
        "tray", "test", trimesh.Trimesh(box.vertices, box.faces[2:], process=False), PARTS
    )
    assert thing.volume == pytest.approx(3.2e-5)
