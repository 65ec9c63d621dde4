import numpy as np
import pytest
import trimesh

from graspbook.objects import mesh as mesh_module
from graspbook.objects import simplify as module
from graspbook.objects.mesh import notes_of, repair


@pytest.fixture(autouse=True)
def fewer(monkeypatch):
    """Limits for tests of seconds."""
    monkeypatch.setattr(module, "FACES", 3000)
    monkeypatch.setattr(module, "CLUSTERED", 3000)
    monkeypatch.setattr(mesh_module, "MOST_FACES", 10_000)


def ball():
    return trimesh.creation.icosphere(subdivisions=5, radius=0.05)


def test_a_huge_closed_mesh_keeps_its_shape_and_it_is_said():
    mesh = repair(ball())
    assert mesh.is_volume and len(mesh.faces) <= 3000
    assert mesh.volume == pytest.approx(ball().volume, rel=0.03)
    assert notes_of(mesh) == (f"20480 faces were simplified to {len(mesh.faces)}",)


def test_a_huge_open_mesh_and_a_soup_are_simplified_too():
    bowl = ball()
    bowl.update_faces(bowl.triangles_center[:, 2] < 0.02)
    assert repair(bowl).is_volume  # it got walls: no face folds onto another
    for whole in (bowl, trimesh.util.concatenate([bowl, ball()])):
        mesh = repair(whole)
        assert 700 < len(mesh.faces) < 9000 and notes_of(mesh)
        distances = np.linalg.norm(mesh.vertices, axis=1)
        assert 0.044 < distances.min() and distances.max() < 0.053


def test_noise_of_a_huge_open_mesh_is_smoothed_away_and_it_is_said():
    bowl = ball()
    bowl.update_faces(bowl.triangles_center[:, 2] < 0.02)
    bowl.remove_unreferenced_vertices()
    bowl.vertices += np.random.default_rng(0).normal(0, 0.0008, bowl.vertices.shape)
    mesh = repair(bowl)
    smoothed, _, *others = notes_of(mesh)
    assert "the surface is noisy and was smoothed; its vertices moved by" in smoothed
    assert mesh.is_volume and any("the sheet was given walls" in note for note in others)
    distances = np.linalg.norm(mesh.vertices, axis=1)
    assert 0.044 < distances.min() and distances.max() < 0.054


def test_smaller_meshes_stay_as_they_are():
    small = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
    assert len(repair(small).faces) == len(small.faces)
