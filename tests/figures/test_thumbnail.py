import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import trimesh

from graspbook import figures
from graspbook.objects.sets import FamilySet
from graspbook.pose import from_rt, random_rotations

OBJECTS = FamilySet(1)
CLOUD = np.random.default_rng(0).normal(0, 0.03, (200, 3))
POSES = from_rt(
    random_rotations(5, np.random.default_rng(0)), np.random.default_rng(1).normal(0, 0.1, (5, 3))
)


def test_a_thumbnail_is_a_small_svg_that_fits_its_frame(tmp_path):
    mug = OBJECTS.load("mug_0000").mesh
    figures.thumbnail_svg(
        tmp_path / "mug.svg", mug, CLOUD, POSES, [0, 0.2, 0.5, 0.8, 1], size=(300, 200)
    )
    text = (tmp_path / "mug.svg").read_text()
    root = ElementTree.fromstring(text)
    kinds = [child.tag.rpartition("}")[2] for child in root]
    assert kinds.count("polyline") == 5 and kinds.count("circle") == 200
    assert 0 < kinds.count("polygon") < len(mug.faces)  # those that face away are left out
    xy = np.array(
        [
            [float(c) for c in pair.split(",")]
            for pair in " ".join(re.findall(r'points="([^"]+)"', text)).split()
        ]
    )
    assert (xy >= 0).all() and (xy <= [300, 200]).all()
    figures.thumbnail_svg(
        tmp_path / "again.svg", mug, CLOUD, POSES, [0, 0.2, 0.5, 0.8, 1], size=(300, 200)
    )
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "mug.svg").read_bytes()


def test_a_thumbnail_sees_the_side_that_faces_the_viewer(tmp_path):
    box = trimesh.creation.box([0.1, 0.1, 0.1])
    figures.thumbnail_svg(tmp_path / "front.svg", box, view_T_object=np.eye(4))
    assert (tmp_path / "front.svg").read_text().count("<polygon") == 2  # one face of the six
    figures.thumbnail_svg(tmp_path / "above.svg", box)
    assert (tmp_path / "above.svg").read_text().count("<polygon") == 6
