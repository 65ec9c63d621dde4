"""Surfaces of one side are told from whole objects."""

import numpy as np
import trimesh

from graspbook.objects.one_view import hidden_share, is_one_view, is_open_view


def test_all_sides_of_an_object_are_not_one_view():
    points = trimesh.creation.box([0.1, 0.1, 0.1]).sample(4000, seed=0) + [0, 0, 0.5]
    assert hidden_share(points) > 0.6 and not is_one_view(points)


def test_a_thin_plate_is_one_view_only_where_it_is_open():
    plate = trimesh.creation.box([0.1, 0.1, 0.001]).subdivide_loop(4)
    plate.apply_translation([0, 0, 0.5])
    assert is_one_view(plate.vertices) and not is_open_view(plate)
    front = trimesh.Trimesh(1000 * plate.vertices, plate.faces[plate.face_normals[:, 2] < -0.5])
    front = front.subdivide()
    assert is_open_view(front, 0.001)
    assert not is_open_view(
        trimesh.Trimesh(np.array([[0, 0, 1.0], [1, 0, 1], [0, 1, 1]]), [[0, 1, 2]])
    )
